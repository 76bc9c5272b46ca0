"""Diversity rises where it should, and equals what its papers define."""

import math

import numpy as np
import pytest

from instructglm.annotation.collecting.diversity import NUM_TEXTS, diversity, vendi_score

VARIED = [
    f"{verb} the {noun} 的{mark}" for verb in ("paint", "sell", "sum") for noun in ("sea", "law") for mark in "甲乙丙"
]


def measured(texts, **options) -> dict[str, float]:
    return {one.measure: one.value for one in diversity(texts, np.random.default_rng(0), **options)}


def test_one_text_many_times_is_one_text() -> None:
    found = measured(["Write a poem."] * 50)
    assert found["vendi_trigrams"] == pytest.approx(1.0)
    assert found["self_similarity"] == pytest.approx(1.0)
    assert found["distinct_1"] == pytest.approx(3 / 150)
    assert found["distinct_2"] == pytest.approx(2 / 100)


def test_texts_that_share_nothing_are_as_many_as_they_are() -> None:
    found = measured(["aaaa", "bbbb", "春天的诗", "合同证人"])
    assert found["vendi_trigrams"] == pytest.approx(4.0)
    assert found["self_similarity"] == 0.0
    assert found["distinct_1"] == 1.0


def test_the_vendi_score_is_that_of_its_paper() -> None:
    """Two groups of equal texts, 3 to 1: e to the entropy of (3/4, 1/4)."""
    similar = np.kron(np.array([[1.0]]), np.zeros((4, 4)))
    similar[:3, :3] = 1.0
    similar[3, 3] = 1.0
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert vendi_score(similar) == pytest.approx(math.exp(entropy))


def test_varied_texts_are_more_diverse_than_alike_ones() -> None:
    alike = [f"Write a poem about the number {number}." for number in range(len(VARIED))]
    varied, monotone = measured(VARIED), measured(alike)
    assert varied["vendi_trigrams"] > monotone["vendi_trigrams"]
    assert varied["self_similarity"] < monotone["self_similarity"]


def test_the_size_of_a_project_does_not_count() -> None:
    """Ten times the texts of one source: samples of one size give nearly the same figures, with an interval."""
    rng = np.random.default_rng(1)
    words = [f"w{number}" for number in range(300)]
    texts = [" ".join(rng.choice(words, 12)) for _ in range(4_000)]
    small, large = (diversity(part, np.random.default_rng(2)) for part in (texts[:400], texts))
    for one, other in zip(small, large, strict=True):
        assert one.value == pytest.approx(other.value, rel=0.05)
        assert one.low is not None
        assert one.low <= one.value <= one.high
        assert one.num_draws == 20


def test_few_texts_are_the_sample_and_have_no_interval() -> None:
    for one in diversity(VARIED, np.random.default_rng(0)):
        assert (one.low, one.high, one.num_draws) == (None, None, 1)


def test_meaning_is_measured_where_there_is_a_model() -> None:
    directions = {"sea": [1.0, 0.0, 0.0], "law": [0.0, 2.0, 0.0]}

    def embed(texts):
        return np.array([next(row for word, row in directions.items() if word in text) for text in texts])

    assert "vendi_meaning" not in measured(VARIED)
    assert measured(VARIED, embed=embed)["vendi_meaning"] == pytest.approx(2.0)
    many = [f"{VARIED[number % len(VARIED)]} {number}" for number in range(3 * NUM_TEXTS)]
    asked: list[int] = []
    found = measured(many, embed=lambda texts: (asked.append(len(texts)), embed(texts))[1])
    assert found["vendi_meaning"] == pytest.approx(2.0, abs=0.05)
    assert asked[0] <= len(many)


def test_equal_seeds_give_equal_figures() -> None:
    texts = [f"text {number} {number * 7 % 13}" for number in range(500)]
    assert diversity(texts, np.random.default_rng(4)) == diversity(texts, np.random.default_rng(4))


@pytest.mark.parametrize("texts", [[], ["", " \n"]])
def test_of_nothing_nothing_is_said(texts) -> None:
    assert diversity(texts, np.random.default_rng(0)) == ()


def test_hostile_texts_are_measured_too() -> None:
    found = measured(["\0", "\u202ea", "😀 😀", "中" * 1_000_000, "\ud800x"])
    assert all(math.isfinite(value) for value in found.values())
