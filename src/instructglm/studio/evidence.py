"""A case laid out for the eye: for each output what was said of it, and what was said of the item as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from markupsafe import Markup

from instructglm.annotation.aggregation import bradley_terry, comparisons_of_rankings, mean_rating
from instructglm.annotation.queue.cases import Case, Voice
from instructglm.annotation.store.projects import Scale
from instructglm.report.ratings import ratings_in_words
from instructglm.studio.pictures import dots


class Said(NamedTuple):
    """A text that somebody wrote; `is_new`: since this reviewer last looked."""

    text: str
    is_new: bool


class Marks(NamedTuple):
    """What an output was given by one criterion: every rating in words, and a picture of them on the scale."""

    criterion: str
    said: str
    low: str
    high: str
    picture: Markup


class Evidence(NamedTuple):
    """An output with what was said of it."""

    id: int
    text: str
    marks: tuple[Marks, ...]
    ranks: tuple[tuple[int, int], ...]  # rank, of so many that were ranked
    rejections: tuple[Said, ...]


class Whole(NamedTuple):
    """What was said of the item as a whole."""

    labels: tuple[tuple[str, int], ...]  # most frequent first
    rejections: tuple[Said, ...]
    flags: tuple[Said, ...]
    comments: tuple[Said, ...]
    num_voices: int
    num_new: int


class Opinion(NamedTuple):
    """What all answers together say of an output; None where they say nothing."""

    id: int
    means: tuple[tuple[str, float, int], ...]  # criterion, mean, n
    strength: float | None
    standard_error: float | None


def evidence_of(case: Case, criteria: dict[str, Scale]) -> tuple[Evidence, ...]:
    """The outputs in the order of the case."""
    return tuple(
        Evidence(
            id=output.id,
            text=output.text,
            marks=tuple(_marks(case, output.id, criteria)),
            ranks=tuple(sorted(_ranks(case, output.id))),
            rejections=tuple(_rejections(case, output.id)),
        )
        for output in case.outputs
    )


def whole_of(case: Case) -> Whole:
    """What is not of one output."""
    voices = [(voice, voice.answer) for voice in case.voices]
    labels = Counter(answer.label for _, answer in voices if answer.label is not None)
    return Whole(
        labels=tuple(labels.most_common()),
        rejections=tuple(_rejections(case, None)),
        flags=tuple(Said(answer.flag, voice.is_new) for voice, answer in voices if answer.flag),
        comments=tuple(Said(answer.comment, voice.is_new) for voice, answer in voices if answer.comment),
        num_voices=len(voices),
        num_new=sum(voice.is_new for voice, _ in voices),
    )


def opinions_of(case: Case) -> tuple[Opinion, ...]:
    """Mean ratings, and Bradley-Terry strengths of the outputs that were ranked."""
    known = {output.id for output in case.outputs}
    rankings = [{one.output: one.rank for one in voice.answer.ranks if one.output in known} for voice in case.voices]
    rankings = [ranking for ranking in rankings if len(ranking) > 1]
    strength: dict[int, tuple[float, float]] = {}
    if rankings:
        found = bradley_terry(comparisons_of_rankings(rankings))
        rows = zip(found.names, found.log_strength.tolist(), found.standard_error.tolist(), strict=True)
        strength = {name: (value, error) for name, value, error in rows}
    return tuple(
        Opinion(output.id, tuple(_means(case, output.id)), *strength.get(output.id, (None, None)))
        for output in case.outputs
    )


def _means(case: Case, output: int) -> Iterator[tuple[str, float, int]]:
    for criterion, values in _ratings(case, output).items():
        yield criterion, mean_rating(values), len(values)


def _ratings(case: Case, output: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for voice in case.voices:
        for rating in voice.answer.ratings:
            if rating.output == output:
                found.setdefault(rating.criterion, []).append(rating.value)
    return found


def _marks(case: Case, output: int, criteria: dict[str, Scale]) -> Iterator[Marks]:
    for criterion, values in sorted(_ratings(case, output).items()):
        scale = criteria.get(criterion)
        low, high = (scale.low, scale.high) if scale else (min(values), max(values))
        yield Marks(criterion, ratings_in_words(values), f"{low:g}", f"{high:g}", dots(values, low, high))


def _ranks(case: Case, output: int) -> Iterator[tuple[int, int]]:
    for voice in case.voices:
        for one in voice.answer.ranks:
            if one.output == output:
                yield one.rank, len(voice.answer.ranks)


def _rejections(case: Case, output: int | None) -> Iterator[Said]:
    for voice in case.voices:
        yield from _said(voice, output)


def _said(voice: Voice, output: int | None) -> Iterator[Said]:
    return (Said(one.reason, voice.is_new) for one in voice.answer.rejected if one.output == output)
