"""Watching the validation loss: the best step, early stopping, and the verdict in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from instructglm.config.training import EarlyStopping
from instructglm.core.records import Record

_LEVEL = 0.005  # a smaller fall, relative to the loss, is no progress
_RISE = 0.01  # a smaller rise is no overfitting
_CHECKS_PER_RUN = 10  # when eval_steps is not given


def steps_between_checks(eval_steps: int | None, num_steps: int) -> int:
    """Every how many optimizer steps of a run of `num_steps` the validation loss is taken."""
    return eval_steps or max(1, num_steps // _CHECKS_PER_RUN)


def num_checks(eval_steps: int | None, num_steps: int) -> int:
    """How often the validation loss is taken: before the first step, every so many, and after the last."""
    return 1 + math.ceil(num_steps / steps_between_checks(eval_steps, num_steps))


class Check(Record):
    """A validation loss in nats per trained token, after `step` optimizer steps."""

    step: int
    loss: float


class Watch(Record):
    """All checks so far and what follows from them. A value: `after` gives the next one."""

    checks: tuple[Check, ...] = ()
    best: Check | None = None
    """The lowest loss so far; its weights are kept."""
    mark: float | None = None
    """The loss that the next check has to undercut by the rule's `min_delta` to count as an improvement."""
    num_worse: int = 0
    """Checks in a row without an improvement."""

    def after(self, check: Check, rule: EarlyStopping | None) -> Watch:
        """The watch once this check is made."""
        margin = rule.min_delta if rule else 0.0
        improved = self.mark is None or check.loss < self.mark - margin
        return Watch(
            checks=(*self.checks, check),
            best=check if self.best is None or check.loss < self.best.loss else self.best,
            mark=check.loss if improved else self.mark,
            num_worse=0 if improved else self.num_worse + 1,
        )

    def should_stop(self, rule: EarlyStopping | None) -> bool:
        return rule is not None and self.num_worse >= rule.patience


def verdict(checks: Sequence[Check], num_steps: int) -> str:
    """What the validation curve says, in a sentence or two."""
    if len(checks) < 2:
        return "Too few validation checks to judge overfitting."
    best = min(checks, key=lambda check: check.loss)
    after = [check for check in checks if check.step > best.step]
    if not after:
        return _still_falling(checks, best)
    rise = after[-1].loss - best.loss
    if best.step == 0:
        return (
            f"Validation loss never fell below that of the untrained model ({best.loss:.4f}), so its weights were "
            "kept: tuning changed nothing. Try another learning rate, or look at the data."
        )
    if rise > _RISE * best.loss:
        checks_in_words = "at the last check" if len(after) == 1 else f"in the {len(after)} checks"
        return (
            f"Validation loss has risen {checks_in_words} since step {best.step} "
            f"({best.loss:.4f} to {after[-1].loss:.4f}): overfitting; kept step {best.step}."
        )
    return f"Validation loss has levelled off since step {best.step}; kept step {best.step}."


def _still_falling(checks: Sequence[Check], best: Check) -> str:
    before = min(check.loss for check in checks if check.step != best.step)
    if before - best.loss < _LEVEL * before:
        return f"Validation loss has levelled off; kept the last step ({best.step})."
    return f"Validation loss was still falling at the last step ({best.step}): training longer may help."
