"""Ratings of many people made one figure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructglm.annotation.aggregation import consensus


def ratings(rows):
    item, person, value = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(item, dtype=np.int64), np.array(person, dtype=np.int64), np.array(value, dtype=np.float64)


def test_with_few_ratings_it_is_the_plain_mean() -> None:
    found = consensus(*ratings([(1, 7, 1.0), (1, 8, 2.0), (5, 7, 4.0)]))
    assert found.items.tolist() == [1, 5]
    assert found.quality.tolist() == [1.5, 4.0]
    assert (found.bias.tolist(), found.weight.tolist(), found.num_shared.tolist()) == ([0, 0], [1, 1], [1, 1])


def test_nobody_rated_anything() -> None:
    assert len(consensus(*ratings([])).quality) == 0


def test_mildness_is_taken_off_where_one_rated_alone() -> None:
    """1 rates a point above 2 throughout: what each rated alone is brought to the middle of the two."""
    shared = [(item, person, 3.0 + (person == 1)) for item in range(100) for person in (1, 2)]
    found = consensus(*ratings([*shared, (200, 1, 4.0), (201, 2, 3.0)]))
    assert found.bias.tolist() == pytest.approx([0.5, -0.5], abs=0.01)
    assert found.quality[-2:].tolist() == pytest.approx([3.5, 3.5], abs=0.01)
    assert found.quality[:100].tolist() == pytest.approx([3.5] * 100)


def test_who_rates_at_random_counts_less_and_quality_is_nearer_the_truth() -> None:
    dice = np.random.default_rng(0)
    truth = dice.uniform(0, 1, 300)
    noise = {1: 0.05, 2: 0.05, 3: 0.05, 4: 0.5}
    rows = [(item, who, truth[item] + dice.normal(0, sd)) for item in range(300) for who, sd in noise.items()]
    found = consensus(*ratings(rows))
    weight = dict(zip(found.annotators.tolist(), found.weight.tolist(), strict=True))
    assert max(weight[4] / weight[who] for who in (1, 2, 3)) < 0.3
    mean = np.bincount(*ratings(rows)[::2]) / 4
    assert np.abs(found.quality - truth).mean() < 0.6 * np.abs(mean - truth).mean()


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.tuples(st.integers(0, 8), st.integers(0, 5)), st.floats(0, 1), min_size=1), st.randoms())
def test_it_is_a_weighed_mean_whatever_the_order(given, random) -> None:
    rows = [(item, person, value) for (item, person), value in given.items()]
    found = consensus(*ratings(rows), enough=2)
    shuffled = random.sample(rows, len(rows))
    again = consensus(*ratings(shuffled), enough=2)
    assert again.quality == pytest.approx(found.quality)
    assert np.isfinite(found.quality).all()
    assert (found.weight >= 0.25).all()
    assert (found.weight <= 4.0).all()
    assert (np.abs(found.bias) <= 1.0).all()
