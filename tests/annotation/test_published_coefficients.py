"""Kappas and AC on published examples, and on figures of a program after Gwet's book."""

import numpy as np
import pytest

from instructglm.annotation.agreement import cohen_kappa, fleiss_kappa, gwet_ac, percent_agreement, scott_pi

# Gwet, "Handbook of Inter-Rater Reliability" (4th ed., 2014): 4 raters, 12 subjects, missing ratings.
GWET = [
    [1, 1, 1], [2, 2, 3, 2], [3] * 4, [3] * 4, [2] * 4, [1, 2, 3, 4],
    [4] * 4, [1, 1, 2, 1], [2] * 4, [5] * 3, [1, 1], [3],
]  # fmt: skip
# Fleiss (1971), as it is cited everywhere: how many of 14 raters put each of 10 subjects into each of 5 categories.
FLEISS = [
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
]  # fmt: skip
# Cohen (1960): of 200 cases, how many the two raters put where.
COHEN = ((88, 10, 2), (14, 40, 6), (18, 10, 12))
# Gwet (2008), the paradox: nearly all agree, and kappa is below 0.
PARADOX = ((118, 5), (2, 0))


def rng():
    return np.random.default_rng(5)


def brief(function, *arguments, **options):
    return function(*arguments, rng(), num_draws=20, **options)


def two_raters(cells):
    """The two columns of ratings that a table of two raters was counted from."""
    rows = [(a, b) for a, row in enumerate(cells) for b, count in enumerate(row) for _ in range(count)]
    return tuple(zip(*rows, strict=True))


def items(first, second):
    return [list(pair) for pair in zip(first, second, strict=True)]


def test_gwets_example():
    found = [brief(function, GWET).value for function in (percent_agreement, fleiss_kappa, gwet_ac)]
    assert found == pytest.approx([0.81818, 0.76117, 0.77544], abs=5e-6)


@pytest.mark.parametrize(
    ("weights", "kappa", "ac"),
    [("identity", 0.55923, 0.58895), ("linear", 0.59278, 0.70156), ("quadratic", 0.61617, 0.78166)],
)
def test_weights_count_as_in_gwets_book(weights, kappa, ac):
    """The figures of irrCAC 0.4.4, a program after that book."""
    ratings = [
        [2, 2, 3, 2], [3] * 4, [3] * 4, [2] * 4, [1, 2, 3, 4],
        [4] * 4, [1, 1, 2, 1], [2] * 4, [5, 5, 4, 5], [1, 3, 3, 5],
    ]  # fmt: skip
    assert brief(fleiss_kappa, ratings, weights=weights).value == pytest.approx(kappa, abs=5e-6)
    assert brief(gwet_ac, ratings, weights=weights).value == pytest.approx(ac, abs=6e-6)


def test_fleiss_example():
    ratings = [[value for value, count in enumerate(row) for _ in range(count)] for row in FLEISS]
    found = brief(fleiss_kappa, ratings)
    assert found.value == pytest.approx(0.210, abs=5e-4)
    assert 1 - found.observed_disagreement == pytest.approx(0.378, abs=5e-4)
    assert 1 - found.expected_disagreement == pytest.approx(0.213, abs=5e-4)


def test_cohens_example():
    found = brief(cohen_kappa, *two_raters(COHEN))
    assert found.value == pytest.approx(0.492, abs=5e-4)
    assert (found.num_items, found.num_ratings) == (200, 400)


def test_the_paradox_of_kappa():
    """Where one value prevails, kappa and pi fall below 0 although 94 % agree; AC1 does not."""
    first, second = two_raters(PARADOX)
    assert brief(cohen_kappa, first, second).value == pytest.approx(-0.0234, abs=5e-5)
    assert brief(scott_pi, first, second).value == pytest.approx(-0.0288, abs=5e-5)
    assert brief(gwet_ac, items(first, second)).value == pytest.approx(0.9408, abs=5e-5)
    assert brief(percent_agreement, items(first, second)).value == pytest.approx(118 / 125)
