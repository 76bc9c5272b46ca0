"""How near a written answer comes to the best of its references, 0 to 1.

All of them compare in NFKC and without case, so that full-width and
half-width forms are the same; Chinese, Japanese and Korean count by character
and everything else by word. A blank answer scores 0.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from instructglm.core.words import comparable, tokenize

T = TypeVar("T")


def _bare(text: str) -> str:
    """The comparable text without outer punctuation, unless it is nothing else."""
    text = comparable(text)
    inner = [position for position, char in enumerate(text) if not _is_punctuation(char) and char != " "]
    return text[inner[0] : inner[-1] + 1] if inner else text


def _is_punctuation(char: str) -> bool:
    return unicodedata.category(char).startswith("P")


def exact_match(prediction: str, references: Sequence[str]) -> float:
    """1.0 where the answer equals a reference but for width, case, blanks and outer punctuation."""
    answer = _bare(prediction)
    return float(bool(answer) and any(answer == _bare(reference) for reference in references))


class Overlap(NamedTuple):
    """Shared tokens as a share of the answer's, of the reference's, and their harmonic mean."""

    precision: float
    recall: float
    f1: float


def _overlap(answer: list[str], reference: list[str]) -> Overlap:
    common = sum((Counter(answer) & Counter(reference)).values())
    if not common:
        return Overlap(0.0, 0.0, 0.0)
    precision, recall = common / len(answer), common / len(reference)
    return Overlap(precision, recall, 2 * precision * recall / (precision + recall))


def token_overlap(prediction: str, references: Sequence[str]) -> Overlap:
    """Bag-of-tokens overlap with the reference of the highest F1 (Rajpurkar et al., 2016; articles are kept)."""
    answer = tokenize(prediction)
    return _best(lambda reference: _overlap(answer, tokenize(reference)), references, key=lambda overlap: overlap.f1)


def _best(score: Callable[[str], T], references: Sequence[str], key: Callable[[T], float]) -> T:
    return max(map(score, references), key=key)


def overlap_precision(prediction: str, references: Sequence[str]) -> float:
    """Precision of `token_overlap`."""
    return token_overlap(prediction, references).precision


def overlap_recall(prediction: str, references: Sequence[str]) -> float:
    """Recall of `token_overlap`."""
    return token_overlap(prediction, references).recall


def overlap_f1(prediction: str, references: Sequence[str]) -> float:
    """F1 of `token_overlap`."""
    return token_overlap(prediction, references).f1


class RougeTokens:
    """Our tokens for rouge-score, whose own keep ASCII only and give Chinese 0."""

    def tokenize(self, text: str) -> list[str]:
        return tokenize(text)


@lru_cache(maxsize=1)
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=RougeTokens())


@lru_cache(maxsize=1)
def _chrf() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF()


def rouge_l(prediction: str, references: Sequence[str]) -> float:
    """F1 of the longest common subsequence with the best reference (Lin, 2004)."""
    return float(_rouge().score_multi(list(references), prediction)["rougeL"].fmeasure)


def chrf(prediction: str, references: Sequence[str]) -> float:
    """F2 of character n-grams up to 6 with the best reference (Popović, 2015); sacrebleu's chrF2 over 100."""
    texts = [comparable(reference) for reference in references]
    return float(_chrf().sentence_score(comparable(prediction), texts).score) / 100
