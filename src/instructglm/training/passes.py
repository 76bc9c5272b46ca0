"""The forward and backward passes of a run, shared among its processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from instructglm.config.training import TrainingSettings
from instructglm.data.features import Feature
from instructglm.training import sanity
from instructglm.training.batches import Batch, micro_batches
from instructglm.training.distributed.engines import engage, gradients_stay
from instructglm.training.loss import StepLoss, arithmetic, has_plain_head, weighted_count
from instructglm.training.setting import Setting
from instructglm.training.workload import dealt, passes
from instructglm.tuning import TunedModel


class Passes:
    """What a step or a check computes; of several processes, each its share, in as many rounds as all the others.

    Args:
        tuned: the model.
        features: what it is trained on; the shortest is tried out.
        settings: of the run.
        setting: of the run.
        say: is told where logits are made whole.
    """

    def __init__(
        self,
        tuned: TunedModel,
        features: Sequence[Feature],
        settings: TrainingSettings,
        setting: Setting,
        say: Callable[[str], None],
    ) -> None:
        self._settings, self._setting, self._ranks = settings, setting, setting.ranks
        shortest = min(features, key=lambda feature: len(feature.context.input_ids))
        self._idle = micro_batches([shortest], 1, setting.pad_id, packed=setting.packed)[0].idle()
        plain_head = self._has_plain_head(tuned.model)
        if not plain_head:
            say("this model changes its logits after the head: they are made whole, which takes more memory")
        self._ranks.require_equal(plain_head=plain_head, packed=setting.packed, num_train_prompts=len(features))
        self._loss: nn.Module = StepLoss(tuned.model, plain_head=plain_head)
        self._loss = engage(self._loss, self._ranks, setting.device, lambda: self._nats(self._idle))

    def share(self, chosen: Sequence[Feature]) -> list[Batch]:
        """The passes over what of a step's prompts is this process's."""
        mine = dealt(chosen, self._ranks)
        return passes(mine, self._settings, self._setting.pad_id, packed=self._setting.packed)

    def weight(self, batches: list[Batch]) -> float:
        """The sum of weights over trained tokens, of all processes."""
        return math.fsum(weight for (weight,) in self._ranks.gather(weighted_count(batches)))

    def backward(self, batches: Sequence[Batch], total: float, step: int) -> float:
        """Leave the step's gradients; its loss, as far as it is this process's.

        Raises:
            RunError: the loss is not a number.
        """
        self._loss.train()
        *others, last = self._rounds(batches)
        with gradients_stay(self._loss):
            losses = [self._backward_pass(batch, total, step) for batch in others]
        return sum([*losses, self._backward_pass(last, total, step)])

    def validation_loss(self, batches: list[Batch], step: int) -> float:
        """Nats per trained token, by all processes.

        Raises:
            RunError: it is not a number.
        """
        self._loss.eval()
        with torch.no_grad():
            nats = [self._nats(batch).item() for batch in self._rounds(self._ranks.share(batches))]
        loss = math.fsum(sum(self._ranks.gather(math.fsum(nats)), ())) / weighted_count(batches)
        sanity.require_finite(step, loss, "validation loss")
        return loss

    def _has_plain_head(self, model: nn.Module) -> bool:
        model.eval()
        with arithmetic(self._setting.device, self._setting.dtype):
            return has_plain_head(model, self._idle.to(self._setting.device))

    def _rounds(self, batches: Sequence[Batch]) -> list[Batch]:
        """As many passes as the process with most of them makes: in each, all wait for all."""
        count = max(int(number) for (number,) in self._ranks.gather(len(batches)))
        return [*batches, *[self._idle] * (count - len(batches))]

    def _nats(self, batch: Batch) -> torch.Tensor:
        with arithmetic(self._setting.device, self._setting.dtype):
            nats: torch.Tensor = self._loss(batch.to(self._setting.device))
        return nats

    def _backward_pass(self, batch: Batch, total: float, step: int) -> float:
        loss = self._nats(batch) / total
        sanity.require_finite(step, loss.item(), "loss")
        (loss * self._ranks.world_size).backward()  # type: ignore[no-untyped-call]
        return loss.item()
