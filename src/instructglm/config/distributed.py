"""`training.distributed:` how many processes train together, and on how many machines."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from instructglm.config.section import Section


class Distributed(Section):
    """One run in several processes, on one machine or more."""

    strategy: Literal["ddp", "fsdp"] = "ddp"
    """`ddp`: each process has the whole model. `fsdp`: each keeps a part of weights, gradients and optimizer."""
    processes: int | Literal["auto"] = Field("auto", ge=1)
    """On each node. `auto`: as many as there are GPUs; one on a CPU."""
    nodes: int = Field(1, ge=1)
    """Machines, on each of which the same command is started."""
    node_rank: int | None = Field(None, ge=0)
    """Which of the nodes this is, from 0. Default: what NODE_RANK or SLURM_NODEID say."""
    rendezvous: str | None = None
    """HOST:PORT of node 0, free there. Default: MASTER_ADDR and MASTER_PORT."""

    @model_validator(mode="after")
    def _there_is_something_to_join(self) -> Distributed:
        if self.strategy == "fsdp" and self.processes == 1 and self.nodes == 1:
            raise ValueError(
                "strategy is fsdp, which parts a model among processes, and there is one; ask for two, or ddp"
            )
        if self.rendezvous is not None and not re.fullmatch(r"\S+:\d+", self.rendezvous):
            raise ValueError(f'rendezvous is "{self.rendezvous}"; expected HOST:PORT of node 0')
        if self.node_rank is not None and self.node_rank >= self.nodes:
            raise ValueError(f"node_rank is {self.node_rank}, and the last of {self.nodes} nodes is {self.nodes - 1}")
        return self
