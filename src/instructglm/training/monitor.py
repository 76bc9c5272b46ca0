"""Watching validation: the best step, early stopping, the gap to the train loss, and the verdict in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import stdev
from typing import NamedTuple

from pydantic import Field

from instructglm.config.training import EarlyStopping
from instructglm.core.records import Record
from instructglm.report.contents import Gap

LOSS = "validation_loss"
"""The metric of which lower is better; of all others, higher is."""
_LEVEL = 0.005  # a smaller fall, relative to the loss, is no progress
_RISE = 0.01  # a smaller rise is no overfitting
_TREND = 2  # checks in a row that make one
_CHECKS_PER_RUN = 10  # when eval_steps is not given


def steps_between_checks(eval_steps: int | None, num_steps: int) -> int:
    """Every how many optimizer steps of a run of `num_steps` the validation loss is taken."""
    return eval_steps or max(1, num_steps // _CHECKS_PER_RUN)


def num_checks(eval_steps: int | None, num_steps: int) -> int:
    """How often the validation loss is taken: before the first step, every so many, and after the last."""
    return 1 + math.ceil(num_steps / steps_between_checks(eval_steps, num_steps))


class Check(Record):
    """A validation loss in nats per trained token, and what else was asked for, after `step` optimizer steps."""

    step: int
    loss: float
    metrics: dict[str, float] = Field(default={})
    """Task metrics on the validation sample, by name: shares, between 0 and 1."""
    num_items: dict[str, int] = Field(default={})
    """Of how many items each of `metrics` is."""

    def score(self, metric: str) -> float:
        """What to compare checks by: the higher, the better."""
        return -self.loss if metric == LOSS else self.metrics[metric]

    def named(self) -> dict[str, float]:
        """Its figures under their names in `metrics.jsonl`."""
        metrics = {f"validation_{name}": value for name, value in self.metrics.items()}
        sizes = {f"num_items_validation_{name}": number for name, number in self.num_items.items()}
        return {"validation_loss_nats_per_token": self.loss, **metrics, **sizes}

    def __str__(self) -> str:
        metrics = "".join(f" · {name} {value:.3f} (n={self.num_items[name]})" for name, value in self.metrics.items())
        return f"step {self.step}: validation loss {self.loss:.4f}{metrics}"


class Watch(Record):
    """All checks so far and what follows from them. A value: `after` gives the next one."""

    checks: tuple[Check, ...] = ()
    best: Check | None = None
    """By the rule's metric (the validation loss without a rule), of equals the one of lower loss, of those the first;
    its weights are kept."""
    mark: float | None = None
    """The score that the next check has to pass by the rule's `min_delta` to count as an improvement."""
    num_worse: int = 0
    """Checks in a row without an improvement."""

    def after(self, check: Check, rule: EarlyStopping | None) -> Watch:
        """The watch once this check is made."""
        metric, margin = (rule.metric, rule.min_delta) if rule else (LOSS, 0.0)
        score = check.score(metric)
        improved = self.mark is None or score > self.mark + margin
        return Watch(
            checks=(*self.checks, check),
            best=check if self.best is None or _rank(check, metric) > _rank(self.best, metric) else self.best,
            mark=score if improved else self.mark,
            num_worse=0 if improved else self.num_worse + 1,
        )

    def should_stop(self, rule: EarlyStopping | None) -> bool:
        return rule is not None and self.num_worse >= rule.patience


def _rank(check: Check, metric: str) -> tuple[float, float]:
    return check.score(metric), -check.loss


class _Mean(NamedTuple):
    """Of the train losses of some steps."""

    loss: float
    num_steps: int
    error: float
    """Its standard error; infinite where one step cannot tell."""


def gap_at(step: int, checks: Sequence[Check], lines: Sequence[Mapping[str, float]]) -> Gap | None:
    """The gap at the check after `step` steps; None before the first step, or where none was logged since.

    Args:
        step: that of one of the checks.
        checks: of the run.
        lines: of its `metrics.jsonl`.
    """
    check = next((check for check in checks if check.step == step), None)
    since = max((check.step for check in checks if check.step < step), default=0)
    train = _train_loss(lines, since, step)
    if check is None or train is None:
        return None
    return Gap(step=step, train_loss=train.loss, validation_loss=check.loss, num_steps=train.num_steps)


def _train_loss(lines: Sequence[Mapping[str, float]], since: int, until: int) -> _Mean | None:
    """Mean train loss per trained token of the logged steps after `since` up to `until`."""
    steps = [line for line in lines if "train_loss_nats_per_token" in line and since < line["step"] <= until]
    tokens = [line["num_trained_tokens"] for line in steps]
    losses = [line["train_loss_nats_per_token"] for line in steps]
    if not steps:
        return None
    mean = math.fsum(loss * count for loss, count in zip(losses, tokens, strict=True)) / math.fsum(tokens)
    error = stdev(losses) / math.sqrt(len(losses)) if len(losses) > 1 else math.inf
    return _Mean(mean, len(losses), error)


def verdict(watch: Watch, lines: Sequence[Mapping[str, float]] = (), metric: str = LOSS) -> str:
    """What the curves say, in a sentence or two.

    Args:
        watch: at the end of the run.
        lines: of its `metrics.jsonl`: whether the train loss fell on tells overfitting from divergence.
        metric: by which the weights that were kept are the best.
    """
    checks, kept = watch.checks, watch.best
    if len(checks) < 2 or kept is None:
        return "Too few validation checks to judge overfitting."
    best = min(checks, key=lambda check: check.loss)
    said, advice = _of_curve(checks, best, lines)
    by = "" if metric == LOSS else f", the best by {metric} ({kept.metrics[metric]:.3f}, n={kept.num_items[metric]})"
    return f"{said}; kept step {kept.step}{by}.{advice}"


def _of_curve(checks: Sequence[Check], best: Check, lines: Sequence[Mapping[str, float]]) -> tuple[str, str]:
    """What happened, and what to do about it."""
    after = [check for check in checks if check.step > best.step]
    if not after:
        return _at_the_end(checks, best)
    if best.step == 0:
        said = f"Validation loss never fell below that of the untrained model ({best.loss:.4f})"
        return said, " Try another learning rate, or look at the data."
    if not _is_higher(after[-1], best):
        return f"Validation loss has levelled off since step {best.step}", ""
    change = f"{best.loss:.4f} at step {best.step}, {after[-1].loss:.4f} at step {after[-1].step}"
    if len(after) < _TREND or not _is_higher(after[-2], best):
        return f"Validation loss rose at the last check ({change}), which is no trend yet", ""
    what, advice = _why(checks, best, lines)
    return f"Validation loss has risen for {len(after)} checks since step {best.step} ({change}): {what}", advice


def _is_higher(check: Check, best: Check) -> bool:
    return check.loss - best.loss > _RISE * best.loss


def _why(checks: Sequence[Check], best: Check, lines: Sequence[Mapping[str, float]]) -> tuple[str, str]:
    """Overfitting is validation getting worse while training does not; where both do, it is something else."""
    steps = [check.step for check in checks]
    then = _train_loss(lines, steps[steps.index(best.step) - 1], best.step)
    now = _train_loss(lines, steps[-2], steps[-1])
    if then and now and now.loss - then.loss > max(_RISE * then.loss, 2 * math.hypot(then.error, now.error)):
        found = f"so has the train loss ({then.loss:.4f} to {now.loss:.4f}), which is divergence, not overfitting"
        return found, " Lower the learning rate."
    return "overfitting", ""


def _at_the_end(checks: Sequence[Check], best: Check) -> tuple[str, str]:
    before = min(check.loss for check in checks if check.step != best.step)
    if before - best.loss < _LEVEL * before:
        return "Validation loss has levelled off", ""
    return "Validation loss was still falling at the last step", " Training longer may help."
