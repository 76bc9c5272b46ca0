"""Storing what the annotators of a file said: people, closed rounds, and the rows of every answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select

from instructglm.annotation.exchange.entries import Entry, GivenAnswer, as_answer
from instructglm.annotation.exchange.guidelines import Guidelines
from instructglm.annotation.exchange.outputs import Outputs
from instructglm.annotation.exchange.people import IMPORTED, People
from instructglm.annotation.exchange.rounds import NewAnswer, make_answers, make_rounds
from instructglm.annotation.exchange.stored import entries
from instructglm.annotation.queue.answers import NewText
from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.importing import row_counts
from instructglm.annotation.store.projects import ProjectInfo
from instructglm.annotation.store.store import Write
from instructglm.annotation.store.tables import Round, Submission
from instructglm.core.ids import content_hash

_KEY = "imported "


class Brought(NamedTuple):
    """An entry with outputs or answers of its own, its prompt's key, and the guidelines of its file by version."""

    key: str
    entry: Entry
    guidelines: dict[int, str]


class Answering:
    """Stores, as an event of its own, what the entries of an import bring beyond instructions.

    `instructions` are the ids of all prompts by their keys, `added` those that this import made.
    """

    def __init__(
        self, write: Write, info: ProjectInfo, by: int | None, instructions: dict[str, int], added: Collection[int]
    ) -> None:
        self.people = People(write, info.id, by)
        self.num_outputs = self.num_new = self.num_known = 0
        self.round_numbers: list[int] = []
        self.notes: list[str] = []
        self._write, self._info, self._instructions, self._added = write, info, instructions, added
        self._change = Change(IMPORTED, info.id, by)

    def take(self, brought: Sequence[Brought]) -> None:
        """Resolve outputs and answers, then store what is new."""
        if not brought:
            return
        stored = self._stored(brought)
        keys = self._known_keys()
        guidelines = Guidelines(self._write, self._info.id, self._change)
        instructions = sorted({self._instructions[one.key] for one in brought})
        outputs = Outputs(self._write, self._change, self.people, instructions)
        new = []
        for one in brought:
            ids = outputs.ids(self._instructions[one.key], one.entry)
            for given in one.entry.answers:
                answer = self._new(one, given, ids, stored, keys, guidelines)
                new += [] if answer is None else [answer]
        self.num_new = len(new)
        self.num_known = sum(len(one.entry.answers) for one in brought) - len(new)
        self.num_outputs = len(outputs.new)
        self._store(_one_a_round(new), outputs)
        self.notes += [*guidelines.notes(), *self._strange(new)]

    def _stored(self, brought: Sequence[Brought]) -> set[tuple[str, int, str]]:
        """Prompt, person and fingerprint of every stored answer, where the file may tell of this very store."""
        names = {answer.person for one in brought for answer in one.entry.answers}
        sakes = {name: self.people.namesakes(name) for name in names}
        if not any(sakes.values()) or all(self._instructions[one.key] in self._added for one in brought):
            return set()
        found = {
            (entry.place, int(answer.person), fingerprint(entry, answer))
            for entry in entries(self._write.connection, self._info.id, str, gold=True)
            for answer in entry.answers
        }
        for one in brought:
            for answer in one.entry.answers:
                for sake in sakes[answer.person]:
                    if (one.key, sake, fingerprint(one.entry, answer)) in found:
                        self.people.natives[answer.person] = sake
        return found

    def _known_keys(self) -> set[tuple[int, str]]:
        query = select(Submission.person, Submission.key).join(Round, Round.id == Submission.round)
        imported = query.where(Round.project == self._info.id, Submission.key.startswith(_KEY))
        return {(row.person, row.key) for row in self._write.connection.execute(imported)}

    def _new(
        self,
        one: Brought,
        given: GivenAnswer,
        ids: Sequence[int],
        stored: set[tuple[str, int, str]],
        keys: set[tuple[int, str]],
        guidelines: Guidelines,
    ) -> NewAnswer | None:
        """The answer as it will be stored; None where it is there."""
        mark = fingerprint(one.entry, given)
        key = _KEY + content_hash(one.key, given.round, mark)
        known = self.people.known(given.person)
        if any((person, key) in keys or (one.key, person, mark) in stored for person in known):
            return None
        person = self.people.id_of(given.person)
        keys.add((person, key))
        outputs = one.entry.outputs
        brought = ((outputs[place], ids[place]) for place in (*given.said.written, *given.said.edits))
        texts = {
            NewText(output.text, None if output.edited_from is None else ids[output.edited_from]): id
            for output, id in brought
        }
        answer = as_answer(given.said, outputs, ids)
        guideline = guidelines.version(given.guideline, one.guidelines)
        return NewAnswer(self._instructions[one.key], person, given.round, given, answer, texts, key, guideline)

    def _store(self, new: Sequence[NewAnswer], outputs: Outputs) -> None:
        numbers = {one.round for one in new} | {row["round"] for row in outputs.new if row["round"] is not None}
        rounds = make_rounds(self._write, self._info.id, sorted(numbers))
        self.round_numbers = [round.number for round in rounds.values()]
        for row in outputs.new:
            row["round"] = None if row["round"] is None else rounds[row["round"]].id
        make_answers(self._write, self._change, [(one, rounds[one.round].id) for one in new])
        self._change.body = {**row_counts(self._change), **self._told()}
        if self._change.rows:
            record(self._write, self._change)

    def _told(self) -> dict[str, Any]:
        told = {"people": self.people.new_ids(), "rounds": self.round_numbers}
        return {name: value for name, value in told.items() if value}

    def _strange(self, new: Sequence[NewAnswer]) -> Iterator[str]:
        """What the project's own annotators could not have said."""
        criteria = self._info.settings.criteria
        counts = Counter(
            rating.criterion
            for one in new
            for rating in one.answer.ratings
            if (scale := criteria.get(rating.criterion)) is None or not scale.low <= rating.value <= scale.high
        )
        for criterion, number in sorted(counts.items()):
            yield f"{number} ratings by {criterion!r} are on a scale that is not the project's"


def fingerprint(entry: Entry, answer: GivenAnswer) -> str:
    """What tells an answer of a prompt from others of the same person: its content, its time and how long it took."""
    texts = [output.text for output in entry.outputs]
    said = answer.said.model_dump(mode="json")
    for name in ("ratings", "ranks", "rejected"):
        for one in said[name]:
            one["output"] = None if one["output"] is None else texts[one["output"]]
    for name in ("written", "edits"):
        said[name] = [texts[place] for place in said[name]]
    return content_hash(said, answer.at_ms, answer.took_ms)


def _one_a_round(new: Sequence[NewAnswer]) -> list[NewAnswer]:
    """Of a person's answers to one item only one stands in a round: the next goes into the next."""
    taken: set[tuple[int, int, int]] = set()
    placed = []
    for one in new:
        number = one.round
        while (number, one.person, one.instruction) in taken:
            number += 1
        taken.add((number, one.person, one.instruction))
        placed.append(one._replace(round=number))
    return placed
