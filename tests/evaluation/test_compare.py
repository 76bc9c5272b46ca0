import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest

from instructglm.core.errors import RunError
from instructglm.evaluation.compare import (
    CLUSTERED,
    MCNEMAR,
    Resampling,
    check_same_items,
    compare_figures,
    compare_shares,
    detectable_share,
    mcnemar,
    mean,
    permutation,
    tango,
)
from instructglm.evaluation.metrics import classification

CLASS_SHARES = [0.5, 0.3, 0.2]


def _alone(n):
    return [str(index) for index in range(n)]


def _how(seed=0, num_resamples=400):
    return Resampling(num_resamples, 0.95, np.random.default_rng(seed))


def _guesses(generator, n, share_right_a, share_right_b):
    """Contributions of two models, of which both find the same items hard."""
    references, hard = generator.choice(3, n, p=CLASS_SHARES), generator.random(n)
    for share_right in (share_right_a, share_right_b):
        right = hard * 0.6 + generator.random(n) * 0.4 < share_right
        wrong = (references + generator.integers(1, 3, n)) % 3
        yield classification.contributions(references, np.where(right, references, wrong), 3)


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_agrees_with_scipy(gained, lost):
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar(gained, lost) == pytest.approx(expected)
    assert mcnemar(gained, lost) == mcnemar(lost, gained)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 60))
def test_tango_holds_the_difference_and_turns_with_the_models(gained, lost, same):
    n = gained + lost + same
    low, high = tango(gained, lost, n, 0.95)
    if n:
        assert -1.0 <= low <= (gained - lost) / n <= high <= 1.0
    assert tango(lost, gained, n, 0.95) == pytest.approx((-high, -low), abs=1e-6)


def test_tango_without_any_difference_is_the_closed_form():
    reach = 1.959964**2 / (30 + 1.959964**2)
    assert tango(0, 0, 30, 0.95) == pytest.approx((-reach, reach), abs=1e-6)
    assert tango(30, 0, 30, 0.95).high == 1.0


@pytest.mark.parametrize(("gained", "lost", "n"), [(9, 5, 100), (12, 1, 30), (3, 20, 40)])
def test_tango_ends_where_the_score_test_would_just_reject(gained, lost, n):
    for delta in tango(gained, lost, n, 0.95):

        def unlikelihood(share_lost, delta=delta):
            share_gained, same = share_lost + delta, 1 - 2 * share_lost - delta
            return -(gained * np.log(share_gained) + lost * np.log(share_lost) + (n - gained - lost) * np.log(same))

        bounds = (max(0.0, -delta) + 1e-9, (1 - delta) / 2 - 1e-9)
        share_lost = minimize_scalar(unlikelihood, bounds=bounds, method="bounded", options={"xatol": 1e-10}).x
        error = np.sqrt(n * (2 * share_lost + delta - delta**2))
        assert abs(gained - lost - n * delta) / error == pytest.approx(1.959964, abs=1e-4)


@pytest.mark.parametrize("n", [30, 100])
def test_the_interval_of_shares_covers_the_truth_as_often_as_it_says(n):
    drawn = np.random.default_rng(1).multinomial(n, [0.2, 0.08, 0.72], size=1000)
    covered = [low <= 0.12 <= high for low, high in (tango(gained, lost, n, 0.95) for gained, lost, _ in drawn)]
    assert 0.92 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize("n", [30, 100])
def test_the_interval_of_macro_f1_covers_the_truth_as_often_as_it_says(n):
    generator = np.random.default_rng(2)
    a, b = _guesses(generator, 400_000, 0.5, 0.7)
    truth = float(classification.macro_f1(b.sum(0)) - classification.macro_f1(a.sum(0)))
    found = [
        compare_figures(*_guesses(generator, n, 0.5, 0.7), classification.macro_f1, _alone(n), _how(seed, 300))
        for seed in range(400)
    ]
    assert 0.92 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.98


@pytest.mark.parametrize("n", [30, 100])
def test_models_that_do_not_differ_are_seldom_told_apart(n):
    generator = np.random.default_rng(3)
    shares, figures = [], []
    for seed in range(400):
        a, b = _guesses(generator, n, 0.6, 0.6)
        right = [list(one[:, :3].sum(1) > 0) for one in (a, b)]
        shares.append(compare_shares(*right, _alone(n), _how(seed)).p_value)
        figures.append(permutation(a, b, classification.macro_f1, _how(seed, 200)))
    assert np.mean(np.array(shares) < 0.05) <= 0.07
    assert np.mean(np.array(figures) < 0.05) <= 0.07


def test_the_permutation_test_agrees_with_all_arrangements_of_a_few_items():
    a, b = _guesses(np.random.default_rng(4), 10, 0.3, 0.9)
    observed = abs(float(classification.macro_f1(b.sum(0)) - classification.macro_f1(a.sum(0))))
    extreme = []
    for swapped in itertools.product([False, True], repeat=10):
        mask = np.array(swapped)[:, None]
        sums = np.where(mask, b, a).sum(0), np.where(mask, a, b).sum(0)
        extreme.append(
            abs(float(classification.macro_f1(sums[1]) - classification.macro_f1(sums[0]))) >= observed - 1e-12
        )
    assert permutation(a, b, classification.macro_f1, _how(0, 40_000)) == pytest.approx(np.mean(extreme), abs=0.01)


def test_the_permutation_p_value_is_never_zero():
    a, b = np.array([[0.0, 1.0]] * 50), np.array([[1.0, 1.0]] * 50)
    assert permutation(a, b, mean, _how(0, 400)) == 1 / 401


def test_equal_models_have_no_difference_and_no_certainty_either():
    hits = [True, False] * 20
    shares = compare_shares(hits, hits, _alone(40), _how())
    contributions = next(iter(_guesses(np.random.default_rng(5), 40, 0.5, 0.5)))
    figures = compare_figures(contributions, contributions, classification.macro_f1, _alone(40), _how())
    for one in (shares, figures):
        assert (one.difference, one.p_value) == (0.0, 1.0)
        assert one.low < -0.05 < 0.05 < one.high
    assert shares.test == MCNEMAR


def test_one_item_proves_nothing():
    one = compare_figures(np.array([[0.0, 1.0]]), np.array([[1.0, 1.0]]), mean, ["a"], _how())
    assert (one.difference, one.low, one.high, one.p_value) == (1.0, -1.0, 1.0, 1.0)


def test_clusters_are_exchanged_whole():
    a, b = np.zeros(60, bool), np.ones(60, bool)
    a[:20], groups = True, [str(index // 20) for index in range(60)]
    clustered, alone = (
        compare_shares(list(a), list(b), groups, _how()),
        compare_shares(list(a), list(b), _alone(60), _how()),
    )
    assert clustered.test == CLUSTERED
    assert clustered.p_value > 0.2  # three clusters cannot show more
    assert alone.p_value < 1e-6


@pytest.mark.parametrize(
    ("n", "num_differing", "points"),
    [(100, 10, 8.5), (100, 40, 17.1), (300, 60, 7.1), (1000, 100, 2.8), (2000, 800, 4.0)],
)
def test_the_detectable_difference_is_the_tabulated_one(n, num_differing, points):
    assert 100 * detectable_share(num_differing, n, 0.95) == pytest.approx(points, abs=0.06)


def test_a_detectable_difference_is_seen_four_times_in_five():
    n, detectable = 400, detectable_share(80, 400, 0.95)
    chances = [0.1 + detectable / 2, 0.1 - detectable / 2, 0.8]
    drawn = np.random.default_rng(6).multinomial(n, chances, size=600)
    assert np.mean([mcnemar(gained, lost) < 0.05 for gained, lost, _ in drawn]) == pytest.approx(0.8, abs=0.07)


def test_equal_seeds_give_equal_comparisons():
    a, b = _guesses(np.random.default_rng(7), 60, 0.5, 0.6)
    first, again = (compare_figures(a, b, classification.macro_f1, _alone(60), _how(1)) for _ in "12")
    assert first == again


def test_other_items_are_refused_and_named():
    with pytest.raises(
        RunError, match=r"only the first model has 1 item\(s\): x\n.*only the second model has 6 .*, \.\.\."
    ):
        check_same_items(["x", "y"], ["y", *"abcdef"], "sentiment")
    check_same_items(["x", "y"], ["y", "x"], "sentiment")
