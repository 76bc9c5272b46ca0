"""What makes an instruction demanding, as far as it can be counted in Chinese and in English alike.

None of this is how hard an instruction is to answer: it is how much is asked.
Readability formulas of English count syllables, those of Chinese strokes; what
both have, and what is used here, are the length of sentences and rare words.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from instructglm.core.records import Record
from instructglm.core.words import comparable, tokenize

_END_OF_SENTENCE = re.compile(r"[.!?。！？；;]+(?=\s|$|[^\d\s])|\n+")
_QUESTION = re.compile(r"[?？]+")
_LIST_ITEM = re.compile(
    r"^[ \t]*(?:[-*•]|\d{1,3}[.)、]|[（(]?[一二三四五六七八九十]{1,3}[)）、])[ \t]*\S", re.MULTILINE
)
_CONSTRAINT = re.compile(
    r"\b(?:must|should|shall|need to|at least|at most|no more than|no fewer than|no less than|fewer than|less than|"
    r"more than|exactly|only|without|do not|don't|never|avoid|ensure|make sure|in the (?:style|form|format) of|"
    r"step by step|each|every|between \d{1,6} and \d{1,6}|"
    r"\d{1,6}[- ](?:words?|sentences?|paragraphs?|lines?|points?|examples?))\b"
    r"|必须|应当|应该|需要|至少|至多|最多|不超过|不少于|不多于|少于|多于|以内|以上|以下|恰好|只能|仅|不要|不得|不能|避免|确保"
    r"|请勿|每个|每一|分别|按照|依次|一步一步|逐步|[0-9一二三四五六七八九十百]{1,6}(?:个?字|句|段|行|条|点|个例子)"
)


class Complexity(Record):
    """What one instruction asks. A token is a word, or a Chinese character.

    `num_constraints` counts words that bind the answer ("at least", "without",
    "50 words"; 至少, 不要, 50字), `num_items` the lines of lists, `sentence_length`
    is tokens a sentence, and `rarity` the mean surprise of its words in bits:
    minus the binary logarithm of their share of all words of the project.
    """

    num_tokens: int
    num_questions: int
    num_constraints: int
    num_items: int
    sentence_length: float
    rarity: float


class ComplexityOf(Record):
    """The means over all instructions that are said to be of one complexity."""

    complexity: str
    num_instructions: int
    num_tokens: float
    num_questions: float
    num_constraints: float
    num_items: float
    sentence_length: float
    rarity: float


def word_counts(texts: Iterable[str]) -> Counter[str]:
    """How often each token stands in these texts."""
    return Counter(token for text in texts for token in tokenize(text))


def complexity(text: str, counts: Mapping[str, int], total: int | None = None) -> Complexity:
    """Count what a text asks; `counts` are of all texts of the project (and `total` their sum, if it is known)."""
    tokens, folded = tokenize(text), comparable(text)
    total = max(1, sum(counts.values()) if total is None else total)
    surprise = [-math.log2(max(1, counts.get(token, 0)) / total) for token in tokens]
    num_sentences = max(1, sum(bool(part.strip()) for part in _END_OF_SENTENCE.split(text)))
    return Complexity(
        num_tokens=len(tokens),
        num_questions=len(_QUESTION.findall(text)),
        num_constraints=len(_CONSTRAINT.findall(folded)),
        num_items=len(_LIST_ITEM.findall(text)),
        sentence_length=len(tokens) / num_sentences,
        rarity=sum(surprise) / len(surprise) if surprise else 0.0,
    )


def complexity_by_name(texts: Sequence[str], names: Sequence[str]) -> tuple[ComplexityOf, ...]:
    """Means for each name of complexity, so that one sees whether what is called hard asks for more."""
    counts = word_counts(texts)
    total = counts.total()
    groups: dict[str, list[Complexity]] = {}
    for text, name in zip(texts, names, strict=True):
        groups.setdefault(name, []).append(complexity(text, counts, total))
    return tuple(_means(name, groups[name]) for name in sorted(groups))


def _means(name: str, found: Sequence[Complexity]) -> ComplexityOf:
    fields = Complexity.model_fields
    means = {field: float(np.mean([getattr(one, field) for one in found])) for field in fields}
    return ComplexityOf(complexity=name, num_instructions=len(found), **means)
