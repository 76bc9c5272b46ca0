"""Files that were sent and wait for a decision: on the disk, few, and not for long."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import BinaryIO, NamedTuple

KEPT_S = 3600.0
_MOST = 20  # files of all people
_MOST_OF_ONE = 3  # of one person, who may have several windows open
_TOKEN_BYTES = 16


class Upload(NamedTuple):
    """A file of one person, found again by its `token`; `name` is how messages call it."""

    token: str
    person: int
    path: Path
    name: str
    at: float


class Uploads:
    """The files that wait, a few for each person, in a folder of this process. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._held: OrderedDict[str, Upload] = OrderedDict()
        self._folder: Path | None = None

    def keep(self, person: int, name: str, source: BinaryIO) -> Upload:
        """Copy a file. Old ones are dropped, the oldest first.

        Raises:
            OSError: the disk refuses; nothing of the file is left.
        """
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        path = self._home() / token
        try:
            with path.open("wb") as file:
                shutil.copyfileobj(source, file)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        with self._lock:
            upload = self._held[token] = Upload(token, person, path, name, self._clock())
            for old in self._outdated(person):
                self._drop(old)
        return upload

    def _outdated(self, person: int) -> set[str]:
        mine = [token for token, upload in self._held.items() if upload.person == person]
        late = {token for token, upload in self._held.items() if self._is_late(upload)}
        return late | set(mine[:-_MOST_OF_ONE]) | set(list(self._held)[:-_MOST])

    def find(self, person: int, token: str) -> Upload | None:
        """The file of a token and its person; None where it is not there any more."""
        with self._lock:
            upload = self._held.get(token)
        return upload if upload is not None and upload.person == person and not self._is_late(upload) else None

    def drop(self, token: str) -> None:
        """Forget a file."""
        with self._lock:
            self._drop(token)

    def _drop(self, token: str) -> None:
        if (upload := self._held.pop(token, None)) is not None:
            upload.path.unlink(missing_ok=True)

    def _is_late(self, upload: Upload) -> bool:
        return upload.at <= self._clock() - KEPT_S

    def _home(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="instructglm-uploads-"))
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            return self._folder
