import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.evaluation.compare import MCNEMAR, Paired
from instructglm.evaluation.verdict import Compared, comparison_rows, holm, metric_in_words


def _compared(difference, low, high, p_value, metric="accuracy", **others):
    paired = Paired(difference, low, high, p_value, 300, MCNEMAR, 0.071)
    return Compared("sentiment", metric, "base", "tuned", 0.643, 0.643 + difference, paired, **others)


def _sentence(*compared):
    return comparison_rows(compared, 0.95)[0].verdict


def test_a_gain_in_words():
    assert _sentence(_compared(0.244, 0.19, 0.297, 1e-9)) == (
        "On sentiment, tuned is better than base: accuracy 88.7 % against 64.3 %, a gain of 24.4 points "
        "(95 % interval 19.0 to 29.7, p < 0.001, n = 300)."
    )


def test_a_loss_in_words_has_its_interval_as_a_loss():
    assert _sentence(_compared(-0.1, -0.15, -0.05, 0.002)) == (
        "On sentiment, tuned is worse than base: accuracy 54.3 % against 64.3 %, a loss of 10.0 points "
        "(95 % interval 5.0 to 15.0, p = 0.002, n = 300)."
    )


@pytest.mark.parametrize(
    "figures",
    [(0.017, -0.02, 0.054, 0.41), (0.05, 0.001, 0.1, 0.06), (0.05, -0.001, 0.1, 0.04), (0.0, -0.02, 0.02, 1.0)],
)
def test_what_is_not_shown_is_not_claimed(figures):
    sentence = _sentence(_compared(*figures))
    assert sentence.startswith("On sentiment, no difference can be claimed between tuned and base: ")
    assert sentence.endswith("with n = 300 items a difference smaller than about 7.1 points would go unseen.")


def test_many_comparisons_of_one_metric_are_corrected_and_say_so():
    rows = comparison_rows(
        [
            _compared(0.05, 0.001, 0.1, 0.03),
            _compared(0.2, 0.1, 0.3, 0.04),
            _compared(0.2, 0.1, 0.3, 0.03, metric="macro_f1"),
        ],
        0.95,
    )
    assert [row.verdict.split(",")[1].split(" ")[1] for row in rows] == ["no", "no", "tuned"]
    assert "p = 0.060 after Holm's correction for 2 comparisons" in rows[0].verdict
    assert rows[0].test == "McNemar exact, Holm over 2 in the verdict"
    assert [row.p_value for row in rows] == [0.03, 0.04, 0.03]
    assert rows[2].test == "McNemar exact"


def test_items_that_only_one_answered_are_mentioned():
    assert "(2 that only one answered left out)" in _sentence(_compared(0.2, 0.1, 0.3, 0.001, num_left_out=2))


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_nor_reorders(p_values):
    adjusted = holm(p_values)
    assert all(p <= q <= 1.0 for p, q in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    assert [adjusted[index] for index in order] == sorted(adjusted)


def test_metrics_have_names_a_lead_can_read():
    assert metric_in_words("generated_macro_f1") == "macro F1 of the written answer"
    assert metric_in_words("f1[joy]") == "F1 of joy"
    assert metric_in_words("generated_accuracy_among_parsed").endswith("that could be read")
