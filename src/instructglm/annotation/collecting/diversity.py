"""How varied texts are, in figures that can be compared between projects of different sizes.

Nearly every measure of diversity grows or falls with the amount of text, so
all here are of samples of one size, drawn without replacement; the interval
holds 95 % of those samples. Where all texts are fewer than a sample, they are
the sample, and there is no interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from instructglm.annotation.collecting.shingles import overlaps
from instructglm.core.records import Record
from instructglm.core.words import tokenize

Embed = Callable[[Sequence[str]], NDArray[np.floating]]
"""Texts to rows of numbers that lie in nearly one direction where the texts mean nearly the same, (T, D)."""
Measure = Literal["distinct_1", "distinct_2", "distinct_3", "self_similarity", "vendi_trigrams", "vendi_meaning"]
_Floats = NDArray[np.float64]

NUM_TEXTS = 200  # of a sample
NUM_TOKENS = 2_000  # of a sample, for distinct n-grams
NUM_DRAWS = 20
_CONFIDENCE = 0.95


class Diversity(Record):
    """One measure: the mean over `num_draws` samples of `num_sampled` texts (of `distinct_n`: tokens).

    `low` and `high` are None where there was only one sample to draw.
    """

    measure: Measure
    value: float
    low: float | None
    high: float | None
    num_texts: int
    num_sampled: int
    num_draws: int


def diversity(texts: Sequence[str], rng: np.random.Generator, embed: Embed | None = None) -> tuple[Diversity, ...]:
    """The measures of these texts; none of blank texts alone.

    - `distinct_n`: of the n-grams of 2,000 tokens, the share that are not repeats (J. Li et al., "A
      Diversity-Promoting Objective Function for Neural Conversation Models", NAACL, 2016). A token is a word, or a
      Chinese character. By equally many tokens, because the share falls with length (S. Liu et al., "Rethinking and
      Refining the Distinct Metric", ACL, 2022).
    - `self_similarity`: what a text shares in trigrams with the nearest of 200, on average; like self-BLEU (Y. Zhu et
      al., "Texygen", SIGIR, 2018) 1 where all are repeats, but symmetric and without tokens.
    - `vendi_trigrams`, `vendi_meaning`: how many wholly different texts 200 amount to: e to the entropy of the
      eigenvalues of their similarities (D. Friedman and A. B. Dieng, "The Vendi Score", TMLR, 2023), which are the
      overlap of trigrams, or the cosine of what `embed` gives.
    """
    texts = [text for text in texts if text.strip()]
    if not texts:
        return ()
    found = [_distinct(texts, n, rng) for n in (1, 2, 3)]
    found += _of_samples(texts, rng)
    if embed is not None:
        found += [_of_meaning(texts, embed, rng)]
    return tuple(found)


def _distinct(texts: Sequence[str], n: int, rng: np.random.Generator) -> Diversity:
    values: list[float] = []
    sizes: list[int] = []
    for _ in range(NUM_DRAWS):
        sizes.append(0)
        grams: list[tuple[str, ...]] = []
        for number in rng.permutation(len(texts)):
            tokens = tokenize(texts[number])[: NUM_TOKENS - sizes[-1]]
            sizes[-1] += len(tokens)
            grams += zip(*(tokens[start:] for start in range(n)), strict=False)
            if sizes[-1] >= NUM_TOKENS:
                break
        values.append(len(set(grams)) / len(grams) if grams else 1.0)
        if sizes[-1] < NUM_TOKENS:  # that was all there is
            break
    measure: dict[int, Measure] = {1: "distinct_1", 2: "distinct_2", 3: "distinct_3"}
    return _summary(measure[n], values, len(texts), max(sizes))


def _of_samples(texts: Sequence[str], rng: np.random.Generator) -> list[Diversity]:
    nearest: list[float] = []
    vendi: list[float] = []
    size = min(NUM_TEXTS, len(texts))
    for sample in _samples(len(texts), rng):
        similar = overlaps([texts[number] for number in sample])
        vendi.append(vendi_score(similar))
        np.fill_diagonal(similar, 0.0)
        nearest.append(float(similar.max(axis=1).mean()))
    return [
        _summary("self_similarity", nearest, len(texts), size),
        _summary("vendi_trigrams", vendi, len(texts), size),
    ]


def _of_meaning(texts: Sequence[str], embed: Embed, rng: np.random.Generator) -> Diversity:
    samples = list(_samples(len(texts), rng))
    needed = np.unique(np.concatenate(samples))
    rows = np.zeros(len(texts), dtype=np.int64)
    rows[needed] = np.arange(len(needed))
    vectors = np.asarray(embed([texts[number] for number in needed]), dtype=np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    values = [vendi_score(vectors[rows[sample]] @ vectors[rows[sample]].T) for sample in samples]
    return _summary("vendi_meaning", values, len(texts), len(samples[0]))


def _samples(num_texts: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """The rows of each sample: all of them once, or 200 at random, 20 times."""
    if num_texts <= NUM_TEXTS:
        return [np.arange(num_texts)]
    return [rng.choice(num_texts, NUM_TEXTS, replace=False) for _ in range(NUM_DRAWS)]


def vendi_score(similar: _Floats) -> float:
    """From 1 (all alike) to the number of texts (none like another); `similar` is (T, T) with ones on its diagonal.

    >>> round(vendi_score(np.eye(4)), 6), round(vendi_score(np.ones((4, 4))), 6)
    (4.0, 1.0)
    """
    shares = np.linalg.eigvalsh(similar / len(similar))
    shares = shares[shares > 1e-12]  # rounding may leave them a little below 0
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _summary(measure: Measure, values: Sequence[float], num_texts: int, num_sampled: int) -> Diversity:
    tails = [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2]
    low, high = np.quantile(values, tails).tolist() if len(values) > 1 else (None, None)
    counts = {"num_texts": num_texts, "num_sampled": num_sampled, "num_draws": len(values)}
    return Diversity(measure=measure, value=float(np.mean(values)), low=low, high=high, **counts)
