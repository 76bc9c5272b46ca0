import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from instructglm.core.proportions import Interval, wilson
from instructglm.evaluation.compare import mean
from instructglm.evaluation.intervals import bootstrap, by_cluster, design_effect, proportion
from instructglm.evaluation.metrics import classification

NUM_SIMULATIONS = 400
CLASS_SHARES = [0.5, 0.3, 0.2]


def _alone(n):
    return [f"item-{index}" for index in range(n)]


def _figures(contributions, groups, figure, generator, num_resamples=400):
    return bootstrap(
        contributions, groups, {"figure": figure}, num_resamples=num_resamples, confidence=0.95, generator=generator
    )["figure"]


@given(
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.9, 0.95, 0.99])
)
def test_wilson_agrees_with_scipy(counts, confidence):
    theirs = binomtest(*counts).proportion_ci(confidence, method="wilson")
    assert wilson(*counts, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_nothing_known_is_everything_possible():
    assert wilson(0, 0, 0.95) == proportion([], [], 0.95) == Interval(0.0, 1.0)
    one = classification.contributions([0], [0], 2)
    assert _figures(one, ["a"], classification.macro_f1, np.random.default_rng(0)) == (0.0, 1.0)


def test_no_mistake_seen_is_not_none_to_come():
    contributions = classification.contributions([0, 1] * 15, [0, 1] * 15, 2)
    low, high = _figures(contributions, _alone(30), classification.macro_f1, np.random.default_rng(0))
    assert 0.85 < low < 0.95
    assert high == 1.0


@pytest.mark.parametrize("n", [30, 100])
@pytest.mark.parametrize("truth", [0.6, 0.9])
def test_proportions_cover_the_truth_as_often_as_they_say(n, truth):
    hits = np.random.default_rng(1).binomial(n, truth, size=4000)
    covered = [low <= truth <= high for low, high in (wilson(hit, n, 0.95) for hit in hits)]
    assert 0.92 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize("n", [30, 100])
@pytest.mark.parametrize("share_right", [0.6, 0.9])
def test_macro_f1_covers_the_truth_as_often_as_it_says(n, share_right):
    generator = np.random.default_rng(2)

    def drawn(size):
        references = generator.choice(3, size, p=CLASS_SHARES)
        guesses = generator.integers(-1, 3, size)
        predictions = np.where(generator.random(size) < share_right, references, guesses)
        return classification.contributions(references, predictions, 3)

    truth = float(classification.macro_f1(drawn(300_000).sum(0)))
    found = [_figures(drawn(n), _alone(n), classification.macro_f1, generator) for _ in range(NUM_SIMULATIONS)]
    assert 0.92 <= np.mean([low <= truth <= high for low, high in found]) <= 0.98


def test_a_mean_of_scores_agrees_with_the_t_interval_where_that_is_right():
    generator = np.random.default_rng(3)
    values = generator.beta(5, 5, size=400)
    low, high = _figures(np.stack([values, np.ones(400)], 1), _alone(400), mean, generator, num_resamples=4000)
    error = values.std(ddof=1) / 20
    assert (low, high) == pytest.approx((values.mean() - 1.966 * error, values.mean() + 1.966 * error), abs=0.1 * error)


def test_items_that_share_a_cluster_count_for_less():
    hits, groups = np.repeat(np.random.default_rng(4).random(60) < 0.7, 5), [str(i // 5) for i in range(300)]
    assert design_effect(hits.astype(float), groups) == pytest.approx(5.0, rel=0.05)
    assert proportion(hits, groups, 0.95) == pytest.approx(wilson(hits[::5].sum(), 60, 0.95), abs=0.003)
    assert design_effect(hits.astype(float), _alone(300)) == 1.0


def test_copies_of_every_item_in_its_cluster_change_no_bootstrap_interval():
    generator = np.random.default_rng(5)
    contributions = classification.contributions(generator.integers(0, 3, 80), generator.integers(0, 3, 80), 3)
    once = _figures(contributions, _alone(80), classification.macro_f1, np.random.default_rng(0))
    thrice = _figures(np.tile(contributions, (3, 1)), _alone(80) * 3, classification.macro_f1, np.random.default_rng(0))
    assert once == pytest.approx(thrice)


def test_clusters_are_summed_whole():
    sums = by_cluster(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), ["b", "a", "b"])
    np.testing.assert_array_equal(sums, [[3.0, 4.0], [6.0, 8.0]])


def test_the_generator_decides_all():
    values = np.stack([np.random.default_rng(6).random(200), np.ones(200)], 1)
    first, again, other = (_figures(values, _alone(200), mean, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_ten_thousand_draws_of_a_thousand_items_are_quick():
    generator = np.random.default_rng(7)
    contributions = classification.contributions(generator.integers(0, 6, 1000), generator.integers(-1, 6, 1000), 6)
    _figures(contributions[:10], _alone(10), classification.macro_f1, generator)  # imports scipy
    start = time.process_time()
    _figures(contributions, _alone(1000), classification.macro_f1, generator, num_resamples=10_000)
    assert time.process_time() - start < 0.5
