"""Going through the log in the background: it takes minutes where there are millions of rows."""

from __future__ import annotations

from threading import Lock, Thread

from instructglm.annotation.store import Store
from instructglm.annotation.store.chain import Head
from instructglm.annotation.store.verify import Verification, verify
from instructglm.core.errors import InstructGLMError
from instructglm.core.records import Record


class Check(Record):
    """The newest check. `found` is None while it goes on, or where it could not be done, and `fault` says why."""

    started_ms: int
    is_running: bool
    found: Verification | None = None
    fault: str = ""


class LogChecks:
    """At most one check at a time, and what the last one found. Threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._last: Check | None = None

    @property
    def last(self) -> Check | None:
        return self._last

    def start(self, kept: Head | None) -> None:
        """Begin, unless one is going on."""
        with self._lock:
            if self._last is not None and self._last.is_running:
                return
            with self._store.read() as connection:
                now_ms = self._store.now_ms(connection)
            self._last = Check(started_ms=now_ms, is_running=True)
        Thread(target=self._run, args=(now_ms, kept), daemon=True, name="log check").start()

    def _run(self, started_ms: int, kept: Head | None) -> None:
        found, fault = None, "this is our mistake; the server's output says more"
        try:
            found, fault = verify(self._store, kept), ""
        except InstructGLMError as error:
            fault = str(error)
        finally:
            self._last = Check(started_ms=started_ms, is_running=False, found=found, fault=fault)
