"""Ctrl-C, SIGTERM and a closed terminal between two steps, not in the middle of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def deferred_interrupt(*, patient: bool = False) -> Iterator[Callable[[], bool]]:
    """Within the block, the first signal only sets a flag, which the yielded function reads.

    The second interrupts at once, unless `patient`: a process that another one
    started is sent the same signal by it and by the system. A flag that the block did not heed interrupts
    at its end. Outside the main thread signals are left alone.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received and not patient:
            raise KeyboardInterrupt
        received.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # as `nohup` does
    before = {number: signal.signal(number, note) for number in heeded}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:  # after the block had last asked
        raise KeyboardInterrupt
