"""Starting the processes of a run on this node, through torch's elastic launcher, which is what `torchrun` calls."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from instructglm.core.errors import Terminated
from instructglm.training.distributed.failures import raise_first
from instructglm.training.distributed.fleet import Fleet

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_PATIENCE_S = "600"  # for the step in progress and its checkpoint, after a signal
_FOR_NODES_S = 1800  # to wait until all of them are there


def launch(fleet: Fleet, arguments: Sequence[str], run_id: str, kept: Callable[[], str] = str) -> None:
    """Run `python ARGUMENTS` in every process of this node until all have ended.

    The first process of the first node writes to this terminal. A signal
    reaches all of them, once.

    Args:
        fleet: how many, and which node this is.
        arguments: what follows `python`; the environment tells each its rank.
        run_id: the same on all nodes, another for every run.
        kept: tells, when one has failed, what is not lost.

    Raises:
        InstructGLMError: one of them failed; see `failures.raise_first`. The others are stopped.
        KeyboardInterrupt: after a signal, when all have ended.
    """
    with tempfile.TemporaryDirectory() as place, _own_signals(), _quiet_launcher():
        logs = _Logs(Path(place), fleet)
        try:
            elastic_launch(_config(fleet, run_id, logs), sys.executable)(*arguments)
        except ChildFailedError as error:
            raise_first(error.failures, fleet.world_size, logs.by_rank(), kept())


class _Logs:
    """Where the processes write that do not write to the terminal."""

    def __init__(self, folder: Path, fleet: Fleet) -> None:
        self._folder, self._fleet = folder, fleet
        speaks = fleet.node_rank == 0
        silent = {number: Std.ALL for number in range(fleet.processes) if number or not speaks}
        self.specs = DefaultLogsSpecs(log_dir=str(folder), redirects=silent or Std.NONE)

    def by_rank(self) -> dict[int, str]:
        """Rank -> its standard error, of the processes of this node that have one of their own."""
        first = self._fleet.node_rank * self._fleet.processes
        return {first + int(path.parent.name): str(path) for path in self._folder.rglob("stderr.log")}


def _config(fleet: Fleet, run_id: str, logs: _Logs) -> LaunchConfig:
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", _PATIENCE_S)
    alone = fleet.nodes == 1
    options: dict[str, Any] = {
        "min_nodes": fleet.nodes,
        "max_nodes": fleet.nodes,
        "nproc_per_node": fleet.processes,
        "run_id": run_id,
        "logs_specs": logs.specs,
        "max_restarts": 0,
        # A port of its own where nobody else has to know it; else the first node is the first whoever comes first.
        "rdzv_backend": "c10d" if alone else "static",
        "rdzv_endpoint": "localhost:0" if alone else fleet.rendezvous,
        "rdzv_configs": {"timeout": _FOR_NODES_S} if alone else {"timeout": _FOR_NODES_S, "rank": fleet.node_rank},
        "local_addr": "127.0.0.1" if alone else None,
        "signals_to_handle": ",".join(name for name in _heeded() if name != "SIGINT"),
    }
    known = {field.name for field in fields(LaunchConfig)}  # older ones always take all signals
    return LaunchConfig(**{name: value for name, value in options.items() if name in known})


def _heeded() -> list[str]:
    """The signals that this process does not ignore, as `nohup` has it ignore one."""
    return [name for name in _SIGNALS if signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN]


class _CtrlC(SignalException):
    """Ctrl-C on this terminal, of which the processes are told by SIGTERM.

    An interpreter that only starts, or imports, would answer SIGINT with a
    traceback; SIGTERM ends it without a word until it heeds signals.
    """

    def __init__(self) -> None:
        super().__init__("Ctrl-C", signal.SIGTERM)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Raise a signal that ends the block as the commands know it, and have the handlers back after it.

    The launcher puts its own in their place and leaves them there.
    """
    before = {name: signal.getsignal(getattr(signal, name)) for name in _SIGNALS}
    try:
        if "SIGINT" in _heeded():
            signal.signal(signal.SIGINT, _interrupt)
        yield
    except _CtrlC as error:
        raise KeyboardInterrupt from error
    except SignalException as error:
        number = int(error.sigval)
        raise (KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)) from error
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise _CtrlC


@contextmanager
def _quiet_launcher() -> Iterator[None]:
    """Keep the launcher's log from the terminal: what it tells of is raised."""
    logger = logging.getLogger("torch.distributed.elastic")
    silent, propagated = logging.NullHandler(), logger.propagate
    logger.addHandler(silent)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(silent)
        logger.propagate = propagated
