"""What every registered metric keeps to."""

import numpy as np
import pytest

from instructglm.evaluation.metrics import METRICS, classification
from instructglm.evaluation.verdict import DEFINITIONS, metric_in_words

OF_TEXT = [name for name, metric in METRICS.items() if metric.of_text]
OF_COUNTS = [name for name, metric in METRICS.items() if metric.of_counts]
TEXTS = ["the cat sat on the mat", "今天天气很好。", "是", "用PyTorch训练", "42", "🙂"]


@pytest.mark.parametrize("name", METRICS)
def test_is_defined_in_one_sentence_and_has_a_name(name):
    metric = METRICS[name]
    assert metric.definition.endswith(".")
    assert metric.definition[:-1].count(". ") == 0
    assert DEFINITIONS[name] == metric.definition
    assert metric_in_words(name) == metric.name
    assert metric.of_counts or metric.of_text


@pytest.mark.parametrize("name", OF_TEXT)
@pytest.mark.parametrize("text", TEXTS)
def test_an_identical_answer_scores_one_beside_any_other_reference(name, text):
    assert METRICS[name].of_text(text, ["something else", text]) == pytest.approx(1.0)


@pytest.mark.parametrize("name", OF_TEXT)
@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u3000"])
def test_a_blank_answer_scores_zero(name, blank):
    assert METRICS[name].of_text(blank, ["天气", "weather"]) == 0.0


@pytest.mark.parametrize("name", OF_TEXT)
def test_a_text_score_lies_between_zero_and_one(name):
    scores = [METRICS[name].of_text(a, [b, c]) for a in TEXTS for b in TEXTS for c in TEXTS]
    assert all(0.0 <= score <= 1.0 + 1e-12 for score in scores)


@pytest.mark.parametrize("name", OF_COUNTS)
def test_counts_give_one_when_all_is_right_zero_when_nothing_is_and_never_nan(name):
    figure = METRICS[name].of_counts
    right, wrong = ([0, 1, 2, 2], [0, 1, 2, 2]), ([0, 1, 2, 2], [1, 2, 0, -1])
    empty = np.zeros(3 * 4 + 1)
    values = [float(figure(classification.contributions(*pair, 4).sum(0))) for pair in (right, wrong)]
    assert [*values, float(figure(empty))] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("name", OF_COUNTS)
def test_counts_of_many_resamples_give_the_figure_of_each(name):
    figure, generator = METRICS[name].of_counts, np.random.default_rng(0)
    sums = np.stack(
        [
            classification.contributions(generator.integers(0, 3, 20), generator.integers(-1, 3, 20), 3).sum(0)
            for _ in "12345"
        ]
    )
    np.testing.assert_allclose(figure(sums), [float(figure(row)) for row in sums])
