"""Kappas and AC: the definitions read literally, other programs, and what must always hold."""

import itertools
import math

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa as fleiss_of_statsmodels

from instructglm.annotation.agreement import (
    cohen_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    percent_agreement,
    scott_pi,
)

WEIGHTS = ("identity", "linear", "quadratic")


def rng():
    return np.random.default_rng(5)


def brief(function, *arguments, **options):
    return function(*arguments, rng(), num_draws=20, **options)


# --- the definitions, pair by pair --------------------------------------------------------------------------------
values = st.sampled_from([-2.0, 0.0, 1.0, 1.5, 7.0])
ragged = st.lists(st.lists(values, max_size=6), max_size=10)
pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30)


def distance(weights, a, b, scale):
    if weights == "identity":
        return float(a != b)
    share = abs(a - b) / ((max(scale) - min(scale)) or 1.0)
    return share if weights == "linear" else share**2


def by_definition(ratings, weights):
    """Observed disagreement, and that of chance for Fleiss and for Gwet, or None without two ratings of an item."""
    rated = [item for item in ratings if item]
    scale = sorted({value for item in rated for value in item})

    def mean_distance(item):
        apart = [distance(weights, a, b, scale) for a, b in itertools.permutations(item, 2)]
        return math.fsum(apart) / len(apart)

    within = [mean_distance(item) for item in rated if len(item) > 1]
    if not within:
        return None
    used = {v: math.fsum(item.count(v) / len(item) for item in rated) / len(rated) for v in scale}
    fleiss = math.fsum(used[a] * used[b] * distance(weights, a, b, scale) for a in scale for b in scale)
    closeness = math.fsum(1 - distance(weights, a, b, scale) for a in scale for b in scale)
    chance = closeness * math.fsum(p * (1 - p) for p in used.values()) / max(1, len(scale) * (len(scale) - 1))
    return math.fsum(within) / len(within), fleiss, 1 - chance


@given(ragged, st.sampled_from(WEIGHTS))
def test_fleiss_and_gwet_equal_their_definitions(ratings, weights):
    expected = by_definition(ratings, weights)
    kappa, ac = (brief(function, ratings, weights=weights) for function in (fleiss_kappa, gwet_ac))
    if expected is None:
        assert (kappa.value, ac.value) == (None, None)
        return
    observed, of_fleiss, of_gwet = expected
    assert ac.value == pytest.approx(1 - observed / of_gwet, abs=1e-9)
    if of_fleiss > 0:
        assert kappa.value == pytest.approx(1 - observed / of_fleiss, abs=1e-9)
    else:
        assert (kappa.value, ac.value) == (None, 1.0)


# --- other programs -------------------------------------------------------------------------------------------------
@given(ragged, st.sampled_from(["nominal", "ordinal", "interval"]))
def test_alpha_equals_the_krippendorff_package(ratings, level):
    scale = sorted({value for item in ratings for value in item})
    found = brief(lambda rows, r, **options: krippendorff_alpha(rows, level, r, **options), ratings)
    if found.alpha is None:  # the package raises on one value, and on items without pairs
        return
    counts = [[item.count(value) for value in scale] for item in ratings]
    theirs = krippendorff.alpha(value_counts=np.array(counts), value_domain=scale, level_of_measurement=level)
    assert found.alpha == pytest.approx(theirs, abs=1e-9)


@given(pairs, st.sampled_from(WEIGHTS))
def test_cohens_kappa_equals_that_of_scikit_learn(rated, weights):
    first, second = zip(*rated, strict=True)
    found = brief(cohen_kappa, first, second, weights=weights)
    if found.value is None:  # theirs is nan there
        assert len({*first, *second}) == 1
        return
    theirs = cohen_kappa_score(first, second, labels=range(5), weights=None if weights == "identity" else weights)
    assert found.value == pytest.approx(theirs, abs=1e-9)


@given(st.integers(2, 5).flatmap(lambda n: st.lists(st.lists(st.integers(0, 3), min_size=n, max_size=n), min_size=1)))
def test_fleiss_kappa_equals_that_of_statsmodels(ratings):
    found = brief(fleiss_kappa, ratings)
    counts = np.array([[item.count(value) for value in range(4)] for item in ratings])
    if found.value is None:  # theirs is nan there
        assert (counts.any(axis=0)).sum() == 1
        return
    assert found.value == pytest.approx(fleiss_of_statsmodels(counts), abs=1e-9)


# --- what must always hold --------------------------------------------------------------------------------------------
SEVERAL = {
    "percent": percent_agreement,
    "fleiss": fleiss_kappa,
    "gwet": gwet_ac,
    "fleiss_linear": lambda *given, **options: fleiss_kappa(*given, weights="linear", **options),
    "gwet_quadratic": lambda *given, **options: gwet_ac(*given, weights="quadratic", **options),
}
every_kind = pytest.mark.parametrize("function", SEVERAL.values(), ids=SEVERAL)


@every_kind
@given(ratings=ragged)
@settings(max_examples=50)
def test_a_figure_is_a_number_or_there_is_a_note(function, ratings):
    found = brief(function, ratings)
    for figure in (found.value, found.low, found.high):
        assert figure is None or math.isfinite(figure)
    assert (found.value is None or found.low is None) == bool(found.note)
    assert found.low is None or found.low <= found.high


@every_kind
@given(ratings=ragged, shuffler=st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_the_order_of_raters_and_items_does_not_matter(function, ratings, shuffler):
    mixed = [shuffler.sample(item, len(item)) for item in shuffler.sample(ratings, len(ratings))]
    assert brief(function, mixed).value == pytest.approx(brief(function, ratings).value, abs=1e-12)


@every_kind
@given(ratings=ragged, times=st.integers(2, 4))
@settings(max_examples=50)
def test_the_same_items_again_change_nothing(function, ratings, times):
    assert brief(function, ratings * times).value == pytest.approx(brief(function, ratings).value, abs=1e-12)


@given(ragged, st.permutations([-2.0, 0.0, 1.0, 1.5, 7.0]))
@settings(max_examples=50)
def test_names_of_nominal_values_do_not_matter(ratings, names):
    renamed = [[names[[-2.0, 0.0, 1.0, 1.5, 7.0].index(value)] for value in item] for item in ratings]
    for function in (percent_agreement, fleiss_kappa, gwet_ac):
        assert brief(function, renamed).value == pytest.approx(brief(function, ratings).value, abs=1e-12)


@given(pairs)
@settings(max_examples=50)
def test_two_raters_may_change_places(rated):
    first, second = zip(*rated, strict=True)
    for function in (cohen_kappa, scott_pi):
        assert brief(function, second, first).value == pytest.approx(brief(function, first, second).value, abs=1e-12)


def test_unanimous_ratings_have_full_agreement_no_kappa_and_ac1():
    ratings = [[3, 3], [3, 3, 3], [3]]
    percent, kappa, ac = (brief(function, ratings) for function in (percent_agreement, fleiss_kappa, gwet_ac))
    assert (percent.value, ac.value) == (1.0, 1.0)
    assert (kappa.value, kappa.note) == (None, "coefficient undefined: one value used")
    assert (kappa.num_items, kappa.num_ratings, kappa.observed_disagreement) == (2, 5, 0.0)
    assert brief(cohen_kappa, [3, 3], [3, 3]).note == kappa.note


def test_without_two_ratings_of_an_item_nothing_is_claimed():
    for ratings in ([], [[1], [2]], [[]]):
        found = brief(gwet_ac, ratings)
        assert (found.value, found.num_items) == (None, 0)
        assert found.note == "coefficient undefined: no item has two ratings"


def test_missing_ratings_of_two_raters_are_left_out():
    whole = brief(cohen_kappa, [1, 2, 2, 1], [1, 2, 1, 1])
    assert brief(cohen_kappa, [1, 2, None, 2, 1, 3], [1, 2, 3, 1, 1, None]).value == whole.value
    with pytest.raises(ValueError, match="None for a missing one"):
        brief(cohen_kappa, [1, math.nan], [1, 1])


def test_ac_knows_of_values_that_nobody_chose():
    """Chance agrees less where there is more to choose from."""
    ratings = [[1, 1], [1, 2], [2, 2]]
    assert brief(gwet_ac, ratings, values=[1, 2, 3, 4]).value > brief(gwet_ac, ratings).value
    with pytest.raises(ValueError, match=r"\[2\.0\]: not among"):
        brief(gwet_ac, ratings, values=[1, 3])


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """Two raters who know the answer 7 times in 10 and else toss a coin: kappa is the chance that both know, 0.49."""
    generator, covered = rng(), 0
    for _trial in range(200):
        truth, coins = generator.integers(2, size=150), generator.integers(2, size=(2, 150))
        first, second = np.where(generator.random((2, 150)) < 0.7, truth, coins).tolist()
        found = cohen_kappa(first, second, generator, num_draws=200)
        covered += found.low <= 0.49 <= found.high
    assert 180 <= covered <= 198


def test_many_equal_items_are_drawn_as_well_as_few_different_ones():
    """Items of one kind are drawn together; the interval is that of items drawn one by one."""
    ratings = [[1, 1]] * 60 + [[2, 2]] * 30 + [[1, 2]] * 10
    found = fleiss_kappa(ratings, rng(), num_draws=4000)
    draws = rng().integers(100, size=(4000, 100))
    resampled = []
    for draw in draws:
        ones, split = (draw < 60).mean(), (draw >= 90).mean()
        share = ones + split / 2
        resampled.append(1 - split / (2 * share * (1 - share)))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(resampled, [0.025, 0.975])), abs=0.015)
