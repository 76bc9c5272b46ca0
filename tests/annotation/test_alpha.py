import itertools
import math
import random
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructglm.annotation.agreement import krippendorff_alpha, most_split

LEVELS = ("nominal", "ordinal", "interval")

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), part C: 4 observers, 12 units, missing values.
_ = None
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3),
    (_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _),
)
UNITS = [[value for value in unit if value is not None] for unit in zip(*OBSERVERS, strict=True)]


def rng():
    return np.random.default_rng(17)


def alpha(ratings, level, **options):
    return krippendorff_alpha(ratings, level, rng(), num_draws=20, **options)


def squared_difference(level, a, b, counts):
    if level == "nominal":
        return float(a != b)
    if level == "interval":
        return (a - b) ** 2
    low, high = min(a, b), max(a, b)
    between = sum(count for value, count in counts.items() if low <= value <= high)
    return (between - (counts[a] + counts[b]) / 2) ** 2


def alpha_by_definition(ratings, level):
    """Pair by pair, as the definition reads."""
    items = [item for item in ratings if len(item) > 1]
    pooled = [value for item in items for value in item]
    counts, n = Counter(pooled), len(pooled)

    def difference(a, b):
        return squared_difference(level, a, b, counts)

    observed = (
        math.fsum(difference(a, b) / (len(item) - 1) for item in items for a, b in itertools.permutations(item, 2)) / n
    )
    expected = math.fsum(difference(a, b) for a, b in itertools.permutations(pooled, 2)) / (n * (n - 1))
    return observed, expected


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorffs_own_example(level, published):
    found = alpha(UNITS, level)
    assert found.alpha == pytest.approx(published, abs=5e-4)
    assert (found.num_items, found.num_ratings) == (11, 40)


def test_krippendorffs_binary_example():
    """The same paper, part A: two observers, ten units, no missing values."""
    first, second = (0, 1, 0, 0, 0, 0, 0, 0, 1, 0), (1, 1, 1, 0, 0, 1, 0, 0, 0, 0)
    assert alpha(list(zip(first, second, strict=True)), "nominal").alpha == pytest.approx(0.095, abs=5e-4)


values = st.sampled_from([-4.0, -2.5, 0.0, 1.0, 3.0, 100.0])
ragged = st.lists(st.lists(values, max_size=6), max_size=12)


@given(ragged, st.sampled_from(LEVELS))
def test_equals_the_definition(ratings, level):
    found = alpha(ratings, level)
    pooled = {value for item in ratings if len(item) > 1 for value in item}
    if len(pooled) < 2:
        assert found.alpha is None
        assert "undefined" in found.note
        return
    observed, expected = alpha_by_definition(ratings, level)
    assert found.observed_disagreement == pytest.approx(observed, abs=1e-9)
    assert found.expected_disagreement == pytest.approx(expected, rel=1e-9)
    assert found.alpha == pytest.approx(1 - observed / expected, abs=1e-9)
    assert found.observed_agreement == pytest.approx(1 - alpha_by_definition(ratings, "nominal")[0], abs=1e-9)


@given(ragged, st.sampled_from(LEVELS), st.randoms(use_true_random=False))
def test_order_of_raters_and_items_does_not_matter(ratings, level, shuffler):
    mixed = [shuffler.sample(item, len(item)) for item in shuffler.sample(ratings, len(ratings))]
    assert alpha(mixed, level).alpha == pytest.approx(alpha(ratings, level).alpha, abs=1e-9)


@given(ragged, st.floats(0.1, 10), st.floats(-1e6, 1e6))
@settings(max_examples=50)
def test_interval_alpha_ignores_unit_and_origin_of_the_scale(ratings, unit, origin):
    moved = [[origin + unit * value for value in item] for item in ratings]
    before, after = alpha(ratings, "interval").alpha, alpha(moved, "interval").alpha
    assert after == pytest.approx(before, abs=1e-6)


@given(ragged)
@settings(max_examples=50)
def test_ordinal_alpha_sees_only_the_order(ratings):
    warped = [[math.atan(value) for value in item] for item in ratings]
    assert alpha(warped, "ordinal").alpha == pytest.approx(alpha(ratings, "ordinal").alpha, abs=1e-9)


@pytest.mark.parametrize("level", LEVELS)
def test_unanimous_ratings_agree_fully_and_have_no_coefficient(level):
    found = alpha([[2, 2, 2], [2, 2], [2]], level)
    assert (found.alpha, found.low, found.high) == (None, None, None)
    assert found.note == "coefficient undefined: one value used"
    assert found.observed_agreement == 1.0
    assert (found.num_items, found.num_ratings) == (2, 5)


@pytest.mark.parametrize("level", LEVELS)
def test_agreement_within_items_is_one_and_chance_is_about_zero(level):
    assert alpha([[1, 1], [2, 2], [3, 3, 3]], level).alpha == 1.0
    dice = rng().integers(1, 6, size=(4000, 5)).tolist()
    assert alpha(dice, level).alpha == pytest.approx(0.0, abs=0.02)


def test_without_two_ratings_nothing_is_claimed():
    found = alpha([[1], [], [2]], "interval")
    assert (found.alpha, found.observed_agreement, found.num_items) == (None, None, 0)
    assert found.note == "coefficient undefined: no item has two ratings"


def test_one_item_has_a_coefficient_but_no_interval():
    found = alpha([[1, 2, 2]], "interval")
    assert found.alpha is not None
    assert (found.low, found.high) == (None, None)
    assert "one item" in found.note


def test_when_all_variation_rests_on_one_item_there_is_no_interval():
    found = krippendorff_alpha([[1, 1]] * 9 + [[2, 2]], "interval", rng())
    assert (found.alpha, found.low, found.high) == (1.0, None, None)
    assert "of 1000 resamples hold two different values" in found.note


def test_missing_ratings_must_be_left_out():
    with pytest.raises(ValueError, match="finite"):
        alpha([[1.0, float("nan")]], "interval")


@pytest.mark.parametrize("level", LEVELS)
def test_the_interval_is_a_bootstrap_over_items(level):
    """The same draws, one at a time, through the definition itself."""
    found = krippendorff_alpha(UNITS, level, rng(), num_draws=100)
    items = [item for item in UNITS if len(item) > 1]
    draws = rng().integers(len(items), size=(100, len(items)))
    resampled = []
    for draw in draws:
        observed, expected = alpha_by_definition([items[index] for index in draw], level)
        resampled.append(1 - observed / expected)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(resampled, [0.025, 0.975])), abs=1e-9)
    assert found.low < found.alpha < found.high


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """Two-way normal raters: the interval alpha of the population is the share of item variance."""
    generator, truth, covered = rng(), 0.5, 0
    for _trial in range(100):
        ratings = generator.normal(size=(80, 1)) + generator.normal(size=(80, 4))
        found = krippendorff_alpha(ratings.round(1).tolist(), "interval", generator, num_draws=200)
        covered += found.low <= truth <= found.high
    assert 85 <= covered <= 100


def test_more_confidence_is_a_wider_interval():
    narrow, wide = (krippendorff_alpha(UNITS, "interval", rng(), confidence=c) for c in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("level", LEVELS)
def test_many_raters_take_seconds(level):
    """15,000 items, 20 raters, 1,000 draws: about a second; the bound leaves room for a busy machine."""
    ratings = rng().integers(-4, 5, size=(15_000, 20)).tolist()
    start = time.process_time()
    krippendorff_alpha(ratings, level, rng())
    assert time.process_time() - start < 6


def test_most_split_puts_the_widest_first_and_breaks_ties_by_id():
    items = {"c": [0, 4], "a": [4, 0], "calm": [1, 1, 1], "one": [3], "b": [0, 1], "worst": [-4, 4]}
    assert most_split(items, 10) == ("worst", "a", "c", "b")
    assert most_split(items, 2) == ("worst", "a")
    assert most_split({}, 3) == ()


@given(st.dictionaries(st.text(max_size=3), st.lists(values, max_size=6), max_size=8), st.randoms())
def test_most_split_does_not_depend_on_any_order(items, shuffler: random.Random):
    names = shuffler.sample(list(items), len(items))
    mixed = {name: shuffler.sample(items[name], len(items[name])) for name in names}
    assert most_split(mixed, 4) == most_split(items, 4)
