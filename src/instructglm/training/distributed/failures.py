"""What a process that fails leaves behind, and what the one that started it makes of that."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from instructglm.core import errors
from instructglm.core.errors import InstructGLMError, RunError

MISTAKE, INTERRUPTED, LOST = 2, 130, 75  # exit codes: the user can mend it; by a signal; another process was gone
_FILE = "TORCHELASTIC_ERROR_FILE"  # in the environment: where the launcher looks
_NUM_LINES = 8  # of what a process last wrote
_GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "remote process exited")


@contextmanager
def reported() -> Iterator[None]:
    """End this process with what went wrong in the block left for `raise_first`, and nothing on the terminal."""
    try:
        yield
    except InstructGLMError as error:
        _leave(str(error), kind=type(error).__name__, faults=list(error.faults), hint=error.hint)
        code = MISTAKE
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        code = LOST if _is_of_another(error) else 1
        _leave(traceback.format_exc().rstrip())
    else:
        return
    sys.stdout.flush()
    os._exit(code)  # tidying up would wait for processes that are gone


def _is_of_another(error: Exception) -> bool:
    """Whether this is only what a collective call says when another process has ended."""
    return isinstance(error, torch.distributed.DistBackendError) or any(text in str(error) for text in _GONE)


def _leave(message: str, **more: Any) -> None:
    if _FILE in os.environ:
        record = {"message": message, "timestamp": int(time.time()), **more}
        with suppress(FileNotFoundError):  # the launcher has gone, and tidied up
            Path(os.environ[_FILE]).write_text(json.dumps(record), encoding="utf-8")


def raise_first(
    failures: Mapping[int, ProcessFailure], world_size: int, logs: Mapping[int, str], kept: str = ""
) -> None:
    """Raise what the process that failed first has failed of.

    Args:
        failures: by rank, in the order in which they were found.
        world_size: of the run.
        logs: by rank, where the standard error of those lies that do not write to the terminal.
        kept: what is not lost; nothing where there is nothing yet to go on from.

    Raises:
        InstructGLMError: as it was raised there.
        KeyboardInterrupt: a signal reached one of them.
        RunError: it was killed, or there is a bug; with its last words.
    """
    own = [rank for rank, failure in failures.items() if failure.exitcode not in (LOST, INTERRUPTED)]
    if not own and any(failure.exitcode == INTERRUPTED for failure in failures.values()):
        raise KeyboardInterrupt
    rank = next(iter(own or failures))
    failure = failures[rank]
    left = failure.error_file_data
    if "kind" in left:
        raise getattr(errors, left["kind"])(*left["faults"], hint=left["hint"])
    said = left["message"] if failure.exitcode == 1 and "timestamp" in left else _tail(logs.get(rank))
    lines = [f"  {line}" for line in said.splitlines()[-_NUM_LINES:]]
    raise RunError(
        f"process {rank} of {world_size} {_ended(failure.exitcode)}", *lines, hint=_hint(failure.exitcode, kept)
    )


def _ended(code: int) -> str:
    if code == LOST:
        return "lost the connection to another one, which failed on its own node: look there"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}; all others were stopped"
    return f"failed with exit code {code}; all others were stopped"


def _hint(code: int, kept: str) -> str:
    memory = " Where nobody killed it, memory had run out." if code == -signal.SIGKILL else ""
    again = f"{kept} The same command goes on from there." if kept else "There is no checkpoint yet to go on from."
    return f"{again}{memory}"


def _tail(log: str | None) -> str:
    if log is None or not Path(log).exists():
        return ""
    return Path(log).read_text(encoding="utf-8", errors="replace").rstrip()
