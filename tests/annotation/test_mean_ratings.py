import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.annotation.aggregation import label_by_mean, mean_rating

LABELS = {"negative": (-4.0, -0.5), "positive": (0.5, 4.0)}


@given(st.lists(st.floats(-4, 4), min_size=1), st.randoms())
def test_the_mean_lies_within_the_ratings_and_ignores_their_order(ratings, shuffler):
    mean = mean_rating(ratings)
    assert min(ratings) - 1e-12 <= mean <= max(ratings) + 1e-12
    assert mean == mean_rating(shuffler.sample(ratings, len(ratings)))


def test_missing_is_not_zero():
    with pytest.raises(ValueError, match="no ratings"):
        mean_rating([])


@pytest.mark.parametrize(
    ("ratings", "label"),
    [([1, 2], "positive"), ([-1, -3], "negative"), ([0.5], "positive"), ([-1, 1], None), ([0.4999], None), ([5], None)],
)
def test_label_by_mean(ratings, label):
    assert label_by_mean(ratings, LABELS) == label


def test_a_shared_end_goes_to_the_label_named_first():
    assert label_by_mean([0], {"low": (-1.0, 0.0), "high": (0.0, 1.0)}) == "low"
