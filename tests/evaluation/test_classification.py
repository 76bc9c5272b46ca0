import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from instructglm.evaluation.metrics import METRICS, classification

NUM_CLASSES = 4
UNPARSED_LABEL = 99  # what scikit-learn is told for UNPARSED
answers = st.lists(
    st.tuples(st.integers(0, NUM_CLASSES - 1), st.integers(-1, NUM_CLASSES - 1)), min_size=1, max_size=40
)


def _sums(pairs):
    references, predictions = zip(*pairs, strict=True)
    return classification.contributions(references, predictions, NUM_CLASSES).sum(0)


def _sklearn(pairs, **options):
    references, predictions = zip(*pairs, strict=True)
    predictions = [UNPARSED_LABEL if one == classification.UNPARSED else one for one in predictions]
    return precision_recall_fscore_support(references, predictions, zero_division=0, **options)


@given(answers)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_agrees_with_scikit_learn(pairs):
    sums = _sums(pairs)
    occurring = sorted({label for pair in pairs for label in pair} - {classification.UNPARSED})
    for average in ("macro", "micro", "weighted"):
        theirs = _sklearn(pairs, labels=occurring, average=average)[:3]
        ours = [float(METRICS[f"{average}_{name}"].of_counts(sums)) for name in ("precision", "recall", "f1")]
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    theirs = _sklearn(pairs, labels=range(NUM_CLASSES), average=None)[:3]
    ours = [figure(sums) for figure in (classification.precision, classification.recall, classification.f1)]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert float(classification.accuracy(sums)) == pytest.approx(accuracy_score(*zip(*pairs, strict=True)))


@given(answers)
def test_confusion_matrix_agrees_with_scikit_learn_and_keeps_every_item(pairs):
    references, predictions = zip(*pairs, strict=True)
    ours = classification.confusion(references, predictions, NUM_CLASSES)
    theirs = confusion_matrix(
        references,
        [UNPARSED_LABEL if one < 0 else one for one in predictions],
        labels=[*range(NUM_CLASSES), UNPARSED_LABEL],
    )
    np.testing.assert_array_equal(ours, theirs[:-1])
    assert ours.sum() == len(pairs)


def test_a_class_that_is_never_predicted_counts_with_zero():
    sums = classification.contributions([0, 0, 1], [0, 0, 0], 2).sum(0)
    assert float(classification.macro_recall(sums)) == 0.5
    assert float(classification.macro_precision(sums)) == pytest.approx(1 / 3)


def test_a_class_without_references_and_predictions_is_left_out_and_one_only_predicted_is_not():
    absent = classification.contributions([0, 1], [0, 1], 3).sum(0)
    invented = classification.contributions([0, 1, 1], [0, 1, 2], 3).sum(0)
    assert float(classification.macro_f1(absent)) == 1.0
    assert float(classification.macro_f1(invented)) == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_one_class_only():
    sums = classification.contributions([0, 0], [0, -1], 1).sum(0)
    assert float(classification.micro_precision(sums)) == 1.0
    assert float(classification.micro_recall(sums)) == 0.5
