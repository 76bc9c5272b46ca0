"""Ctrl-C, SIGTERM and a closed terminal between two steps, not in the middle of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from instructglm.core.errors import Terminated

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def deferred_interrupt(*, patient: bool = False) -> Iterator[Callable[[], KeyboardInterrupt | None]]:
    """Within the block, the first signal is only noted; the yielded function gives what to raise for it, if one came.

    The second interrupts at once, unless `patient`: a process that another one
    started is sent the same signal by it and by the system. A signal that the block did not heed interrupts
    at its end. Outside the main thread signals are left alone.
    """
    received: list[KeyboardInterrupt] = []

    def note(number: int, frame: FrameType | None) -> None:
        meant = KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)
        if received and not patient:
            raise meant
        received.append(meant)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # as `nohup` does
    before = {number: signal.signal(number, note) for number in heeded}
    try:
        yield lambda: received[0] if received else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:  # after the block had last asked
        raise received[0]
