"""What the validation curve is made to say."""

from __future__ import annotations

import pytest

from instructglm.config.training import EarlyStopping
from instructglm.training.monitor import Check, Watch, verdict


def checks(*losses: float) -> list[Check]:
    return [Check(step=10 * number, loss=loss) for number, loss in enumerate(losses)]


def watched(rule: EarlyStopping | None, *losses: float) -> Watch:
    watch = Watch()
    for check in checks(*losses):
        watch = watch.after(check, rule)
    return watch


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ((2.0, 1.0, 3.0), "risen at the last check since step 10 (1.0000 to 3.0000): overfitting; kept step 10"),
        ((2.0, 1.0, 1.2, 1.3), "risen in the 2 checks since step 10 (1.0000 to 1.3000): overfitting"),
        ((2.0, 1.5, 1.0), "still falling at the last step (20)"),
        ((2.0, 1.0, 0.999), "levelled off; kept the last step (20)"),
        ((2.0, 1.0, 1.004), "levelled off since step 10; kept step 10"),
        ((1.0, 1.5, 2.0), "never fell below that of the untrained model"),
        ((1.0,), "Too few"),
    ],
)
def test_verdict(losses, said):
    assert said in verdict(checks(*losses), 100)


def test_the_best_weights_are_those_of_the_lowest_loss_whatever_counts_as_an_improvement():
    watch = watched(EarlyStopping(patience=3, min_delta=0.05), 1.0, 0.97, 0.96, 0.955)
    assert watch.best == Check(step=30, loss=0.955)
    assert watch.num_worse == 3
    assert watch.should_stop(EarlyStopping(patience=3, min_delta=0.05))


def test_an_improvement_is_measured_from_the_last_one():
    watch = watched(EarlyStopping(patience=2, min_delta=0.05), 1.0, 0.97, 0.94, 0.93)
    assert watch.num_worse == 1  # 0.94 is 0.06 below 1.0


def test_without_a_rule_nothing_stops():
    assert not watched(None, 1.0, 2.0, 3.0, 4.0).should_stop(None)
