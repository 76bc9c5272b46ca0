"""What the validation curve is made to say."""

from __future__ import annotations

import pytest

from instructglm.config.training import EarlyStopping
from instructglm.training.monitor import Check, Watch, gap_at, verdict


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
        ((2.0, 1.0, 3.0), "rose at the last check (1.0000 at step 10, 3.0000 at step 20), which is no trend yet"),
        (
            (2.0, 1.0, 1.1, 1.2, 1.3),
            "Validation loss has risen for 3 checks since step 10 (1.0000 at step 10, 1.3000 at step 40): "
            "overfitting; kept step 10.",
        ),
        ((2.0, 1.0, 1.004, 1.2), "which is no trend yet; kept step 10."),
        ((2.0, 1.0, 1.2, 1.004), "levelled off since step 10; kept step 10."),
        ((2.0, 1.5, 1.0), "still falling at the last step; kept step 20. Training longer may help."),
        ((2.0, 1.0, 0.999), "levelled off; kept step 20."),
        ((2.0, 1.0, 1.004), "levelled off since step 10; kept step 10."),
        ((1.0, 1.5, 2.0), "never fell below that of the untrained model (1.0000); kept step 0. Try another"),
        ((1.0,), "Too few"),
    ],
)
def test_verdict(losses, said):
    assert said in verdict(watched(None, *losses))


def lines(*losses: float) -> list[dict[str, float]]:
    """Ten steps, one of each kind of batch, before each check but the first; the loss wavers by a tenth."""
    return [
        {
            "step": 10 * number + step,
            "train_loss_nats_per_token": loss * (0.9 if step % 2 else 1.1),
            "num_trained_tokens": 50,
        }
        for number, loss in enumerate(losses)
        for step in range(1, 11)
    ]


def test_where_the_train_loss_rises_too_it_is_not_called_overfitting():
    curve = watched(None, 2.0, 1.0, 1.5, 2.0)
    assert "overfitting; kept step 10" in verdict(curve, lines(1.5, 0.5, 0.3))
    assert "overfitting; kept step 10" in verdict(curve, lines(1.5, 0.5, 1.55)), "less than the batches differ by"
    diverged = verdict(curve, lines(1.5, 1.6, 4.0))
    assert "so has the train loss (1.5000 to 4.0000), which is divergence, not overfitting; kept step 10" in diverged
    assert diverged.endswith("Lower the learning rate.")


def test_the_gap_is_between_a_check_and_the_steps_since_the_one_before():
    curve = checks(2.0, 1.0, 1.5)
    gap = gap_at(10, curve, [*lines(0.8, 0.3), {"step": 10, "validation_loss_nats_per_token": 1.0}])
    assert gap is not None
    assert (gap.step, gap.validation_loss, gap.num_steps) == (10, 1.0, 10)
    assert gap.train_loss == pytest.approx(0.8)
    assert gap_at(0, curve, lines(0.8, 0.3)) is None


def test_the_gap_weighs_steps_by_their_trained_tokens():
    steps = [{"step": 1, "train_loss_nats_per_token": 1.0, "num_trained_tokens": 30}]
    steps += [{"step": 2, "train_loss_nats_per_token": 3.0, "num_trained_tokens": 10}]
    gap = gap_at(2, [Check(step=2, loss=2.0)], steps)
    assert gap is not None
    assert gap.train_loss == 1.5


def test_of_a_task_metric_higher_is_better_and_of_equals_the_one_of_lower_loss_is_kept():
    rule = EarlyStopping(metric="accuracy", patience=2, min_delta=0.02)
    watch = Watch()
    for step, (loss, accuracy) in enumerate([(2.0, 0.5), (1.0, 0.6), (0.9, 0.6), (3.0, 0.6)]):
        watch = watch.after(Check(step=step, loss=loss, metrics={"accuracy": accuracy}), rule)
    assert watch.best is not None
    assert watch.best.step == 2
    assert watch.num_worse == 2
    assert watch.should_stop(rule)


def test_the_verdict_names_the_step_that_was_kept_by_another_metric():
    watch = Watch()
    for step, (loss, accuracy) in enumerate([(2.0, 0.5), (1.0, 0.6), (1.5, 0.6), (2.0, 0.8)]):
        check = Check(step=step, loss=loss, metrics={"accuracy": accuracy}, num_items={"accuracy": 50})
        watch = watch.after(check, EarlyStopping(metric="accuracy"))
    said = verdict(watch, metric="accuracy")
    assert said.endswith("overfitting; kept step 3, the best by accuracy (0.800, n=50).")


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
