"""Closed questions: one label from several, and how sure it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from instructglm.annotation.aggregation import MODELS, Aggregate, Votes, majority_vote
from instructglm.annotation.aggregation.models import Model
from instructglm.annotation.columns import Ints
from instructglm.annotation.snapshot.said import Said
from instructglm.annotation.store.tables import Kind
from instructglm.core.lookup import lookup
from instructglm.core.seeds import derived_seed

FEW_ITEMS = 10
"""Below so many questions with the same choices nothing can be known of people's errors: their votes are counted."""


class Label(NamedTuple):
    """What people make of a closed question: `label` is None where two are equally likely."""

    label: str | None
    confidence: float
    num_votes: int


class Votings(NamedTuple):
    """What closed questions were answered, and how far each annotator can be relied on."""

    labels: dict[int, Label]
    accuracy: dict[int, tuple[float, int]]
    """Annotator -> expected share of right labels, and of how many."""
    num_counted: int
    """Questions of a set of choices that too few have: their votes were counted, whatever the model."""
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Question:
    instruction: int
    task: str
    choices: tuple[str, ...]


def questions(found: Iterable[tuple[int, str, Iterable[str]]]) -> dict[int, _Question]:
    """Closed questions by instruction, from (instruction, task, choices)."""
    return {number: _Question(number, task, tuple(choices)) for number, task, choices in found if choices}


def aggregate_labels(said: Said, asked: Mapping[int, _Question], model: str) -> Votings:
    """One label for every question that somebody labelled with one of its choices.

    Questions of one task with the same choices are one matter of aggregation.

    Raises:
        ConfigError: there is no such model.
    """
    chosen = lookup("label model", model, MODELS)
    labels: dict[int, Label] = {}
    hits: dict[int, tuple[float, int]] = {}
    num_counted = 0
    warnings: dict[str, None] = {}
    for task, choices, votes in _matters(said.of_kind(Kind.LABEL), asked):
        if few := len(votes.items) < FEW_ITEMS and model != "majority_vote":
            num_counted += len(votes.items)
        found = majority_vote(votes) if few else _fitted(chosen, votes, task, choices)
        labels.update(_labels(found))
        _add_hits(hits, found)
        warnings[found.warning] = None
    accuracy = {person: (right / number, number) for person, (right, number) in sorted(hits.items())}
    return Votings(labels, accuracy, num_counted, tuple(filter(None, warnings)))


def _matters(said: Said, asked: Mapping[int, _Question]) -> Iterator[tuple[str, tuple[str, ...], Votes]]:
    """The votes of each task and set of choices; what is none of its question's choices is no vote."""
    groups: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    rows = zip(said.instruction.tolist(), said.text.tolist(), strict=True)
    for row, (instruction, text) in enumerate(rows):
        question = asked.get(instruction)
        if question is not None and said.texts[text] in question.choices:
            groups.setdefault((question.task, question.choices), []).append(row)
    for (task, choices), members in sorted(groups.items()):
        part = said.where(np.array(members))
        yield task, choices, Votes.of(part.instruction, part.annotator, _texts(said, part.text), labels=choices)


def _texts(said: Said, numbers: Ints) -> list[str]:
    return [said.texts[number] for number in numbers.tolist()]


def _fitted(model: Model, votes: Votes, task: str, choices: tuple[str, ...]) -> Aggregate:
    return model(votes, np.random.default_rng(derived_seed(0, "snapshot", task, *choices)))


def _labels(found: Aggregate) -> Iterator[tuple[int, Label]]:
    numbers = np.bincount(found.votes.item, minlength=len(found.votes.items)).tolist()
    # A majority is certain of its answer whatever its size: how sure it is, its share of the votes tells.
    shares = found.votes.shares.T if found.model == "majority_vote" else found.posterior
    rows = zip(found.votes.items, found.answers, shares.max(axis=1).tolist(), numbers, strict=True)
    return ((item, Label(answer, share, number)) for item, answer, share, number in rows)


def _add_hits(hits: dict[int, tuple[float, int]], found: Aggregate) -> None:
    shares, numbers = found.reliability.tolist(), found.votes.votes_per_annotator.tolist()
    for person, share, number in zip(found.votes.annotators, shares, numbers, strict=True):
        right, before = hits.get(person, (0.0, 0))
        hits[person] = (right + share * number, before + number)
