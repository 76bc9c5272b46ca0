import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from instructglm.annotation.aggregation import bradley_terry, comparisons_of_rankings
from instructglm.annotation.aggregation.bradley_terry import Comparisons

# Citations among four journals of statistics (S. M. Stigler, "Citation patterns in the journals of statistics and
# probability", 1994; A. Agresti, "Categorical Data Analysis"): how often the row was cited by the column.
JOURNALS = ("Biometrika", "Communications", "JASA", "JRSS-B")
CITED = np.array([[0, 730, 498, 221], [33, 0, 68, 17], [320, 813, 0, 142], [284, 276, 325, 0]], dtype=float)


def log_posterior(point, comparisons, prior):
    """Davidson's likelihood and the imaginary output, as the definition reads."""
    strength, nu, total = np.exp(point[:-1]), np.exp(point[-1]), 0.0
    with_ties = comparisons.ties.any()
    for i in range(len(strength)):
        for j in range(i):
            tie = nu * np.sqrt(strength[i] * strength[j]) if with_ties else 0.0
            whole = strength[i] + strength[j] + tie
            total += comparisons.wins[i, j] * np.log(strength[i] / whole)
            total += comparisons.wins[j, i] * np.log(strength[j] / whole)
            total += comparisons.ties[i, j] * np.log(tie / whole) if with_ties else 0.0
    weight = np.append(np.full(len(strength), prior), 1.0)
    return total + np.sum(weight * (point / 2 - np.logaddexp(0, point)))


def test_the_journals_of_statistics():
    """The strengths that are published for these counts, beside Biometrika's."""
    found = bradley_terry(Comparisons(JOURNALS, CITED, np.zeros((4, 4))), prior=1e-6)
    beside = found.log_strength - found.log_strength[0]
    assert beside == pytest.approx([0, -2.94907, -0.47957, 0.26895], abs=1e-4)
    assert found.order == ("JRSS-B", "Biometrika", "JASA", "Communications")
    assert found.tie == 0.0


rankings = st.lists(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 3), min_size=2), min_size=1, max_size=12)


@given(rankings)
@settings(max_examples=60)
def test_strengths_are_the_likeliest(given_rankings):
    comparisons = comparisons_of_rankings(given_rankings)
    found = bradley_terry(comparisons)
    log_nu = np.log(found.tie) if found.tie else 0.0
    best = minimize(lambda point: -log_posterior(point, comparisons, 1.0), np.zeros(len(found.names) + 1))
    mean = best.x[:-1].mean()
    ours = log_posterior(np.append(found.log_strength + mean, log_nu), comparisons, 1.0)
    assert ours >= -best.fun - 1e-8
    assert found.log_strength == pytest.approx(best.x[:-1] - mean, abs=1e-3)
    assert found.log_strength.sum() == pytest.approx(0.0, abs=1e-9)
    assert np.isfinite(found.standard_error).all()


@given(rankings, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_order_of_rankings_and_of_outputs_does_not_matter(given_rankings, shuffler):
    mixed = [
        dict(shuffler.sample(list(ranking.items()), len(ranking)))
        for ranking in shuffler.sample(given_rankings, len(given_rankings))
    ]
    one, other = (bradley_terry(comparisons_of_rankings(given)) for given in (given_rankings, mixed))
    strengths = dict(zip(other.names, other.log_strength.tolist(), strict=True))
    assert [strengths[name] for name in one.names] == pytest.approx(one.log_strength.tolist(), abs=1e-7)


def test_an_output_that_was_never_beaten_is_finite_and_first():
    found = bradley_terry(comparisons_of_rankings([{"best": 1, "good": 2, "worst": 3}] * 50))
    assert found.order == ("best", "good", "worst")
    assert np.isfinite(found.log_strength).all()
    assert found.num_comparisons.tolist() == [100, 100, 100]


def test_ties_count_half_and_make_ties_likely():
    found = bradley_terry(comparisons_of_rankings([{"a": 1, "b": 1}] * 8 + [{"a": 1, "b": 2}] * 1))
    assert found.log_strength[0] > found.log_strength[1]
    assert found.tie > 2.0
    preference = found.preference()
    assert preference + preference.T == pytest.approx(np.ones((2, 2)))
    assert 0.5 < preference[0, 1] < 0.6


def test_a_hundred_times_the_comparisons_make_ten_times_as_sure():
    drawn = np.array([[0.0, 1000.0], [1000.0, 0.0]])
    few, many = (bradley_terry(Comparisons(("a", "b"), drawn * times, 0.0 * drawn)) for times in (1, 100))
    assert few.log_strength == pytest.approx([0.0, 0.0], abs=1e-9)
    assert few.standard_error == pytest.approx([np.sqrt(0.5 / 1000.25)] * 2)  # the prior is worth a quarter of a win
    assert few.standard_error / many.standard_error == pytest.approx([10.0, 10.0], rel=1e-3)


def test_errors_are_those_of_strengths_that_sum_to_zero():
    """Without a prior the information is singular; its pseudo-inverse is the covariance under that constraint."""
    found = bradley_terry(Comparisons(JOURNALS, CITED, np.zeros((4, 4))), prior=1e-6)
    wins = found.preference()
    of_pairs = (CITED + CITED.T) * wins * (1.0 - wins)
    covariance = np.linalg.pinv(np.diag(of_pairs.sum(axis=1)) - of_pairs)
    assert found.standard_error == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-4)


def test_between_outputs_that_nothing_links_more_comparisons_make_no_surer():
    rankings = [{"a": 1, "b": 2}, {"b": 1, "a": 2}, {"c": 1, "d": 2}, {"d": 1, "c": 2}]
    few, many = (bradley_terry(comparisons_of_rankings(rankings * times)) for times in (10, 1000))
    assert few.standard_error.min() > many.standard_error.min() > 0.5


def test_one_output_alone_is_the_mean():
    found = bradley_terry(comparisons_of_rankings([{"a": 1}]))
    assert (found.log_strength.tolist(), found.standard_error.tolist()) == ([0.0], [0.0])


def test_there_must_be_something_to_compare():
    with pytest.raises(ValueError, match="0 outputs"):
        bradley_terry(comparisons_of_rankings([]))
    with pytest.raises(ValueError, match="prior of 0"):
        bradley_terry(comparisons_of_rankings([{"a": 1, "b": 2}]), prior=0.0)
