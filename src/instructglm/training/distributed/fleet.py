"""How many processes train together, from the experiment, the devices that are here, and the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from instructglm.config.distributed import Distributed
from instructglm.core.errors import ConfigError


@dataclass(frozen=True)
class Fleet:
    """The processes of a run, and where this node stands among others."""

    strategy: str = "ddp"
    processes: int = 1
    """On this node, as on every other."""
    nodes: int = 1
    node_rank: int = 0
    rendezvous: str = ""
    """HOST:PORT of the first node; needed for several."""

    @property
    def world_size(self) -> int:
        return self.processes * self.nodes


def fleet_of(settings: Distributed | None, kind: str, available: int) -> Fleet:
    """The fleet that the settings ask for.

    Args:
        settings: None is one process.
        kind: cpu, cuda or mps.
        available: how many devices of this kind are here.

    Raises:
        ConfigError: there are fewer devices than processes, or the other nodes cannot be found.
    """
    if settings is None:
        return Fleet()
    processes = _processes(settings, kind, available)
    if processes * settings.nodes == 1 and settings.strategy == "fsdp":
        raise ConfigError(
            f"training.distributed.strategy is fsdp, which parts a model among processes; found one device ({kind})",
            hint="Leave training.distributed out, or set training.distributed.processes.",
        )
    if settings.nodes == 1:
        return Fleet(settings.strategy, processes)
    return Fleet(settings.strategy, processes, settings.nodes, node_rank_of(settings), _rendezvous(settings))


def fleet_wanted(settings: Distributed | None, kind: str, available: int) -> Fleet:
    """The fleet that the settings ask for, whether or not it can be had here: to foretell what it takes."""
    if settings is None:
        return Fleet()
    number = settings.processes if settings.processes != "auto" else available if kind == "cuda" else 1
    return Fleet(settings.strategy, number, settings.nodes)


def _processes(settings: Distributed, kind: str, available: int) -> int:
    wanted = settings.processes
    if wanted == "auto":
        return available if kind == "cuda" else 1
    if wanted > 1 and kind == "mps":
        raise ConfigError(
            f"training.distributed.processes is {wanted}; found one device (mps)",
            hint="Set model.device to cpu, or leave training.distributed out.",
        )
    if kind == "cuda" and wanted > available:
        raise ConfigError(
            f"training.distributed.processes is {wanted}; found {available} GPUs, and each process needs its own",
            hint="Set it to auto.",
        )
    return wanted


def node_rank_of(settings: Distributed | None) -> int:
    """Which of the nodes this is; without other nodes, the first.

    Raises:
        ConfigError: nothing says so, or it says what cannot be.
    """
    if settings is None or settings.nodes == 1:
        return 0
    if settings.node_rank is not None:
        return settings.node_rank
    told = next((os.environ[name] for name in ("NODE_RANK", "SLURM_NODEID") if name in os.environ), None)
    if told is None or not told.isdigit() or int(told) >= settings.nodes:
        raise ConfigError(
            f"training.distributed.nodes is {settings.nodes}, and node_rank is {'not set' if told is None else told}",
            hint=f"Set it to 0 ... {settings.nodes - 1}, another on each node, or NODE_RANK in the environment; srun "
            "sets SLURM_NODEID.",
        )
    return int(told)


def _rendezvous(settings: Distributed) -> str:
    if settings.rendezvous:
        return settings.rendezvous
    host, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if not host or not port:
        raise ConfigError(
            f"training.distributed.nodes is {settings.nodes}, and training.distributed.rendezvous is not set",
            hint="Set it to HOST:PORT of node 0, the same on all nodes.",
        )
    return f"{host}:{port}"


def require_own_start() -> None:
    """See that this process is the only one on its node.

    Raises:
        ConfigError: `torchrun` has started it, and others that would do all stages beside it.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise ConfigError(
            "this command was started by torchrun, which it starts itself",
            hint="Start `instructglm` once on every node, and say training.distributed.processes=N.",
        )
