"""From the results of other tools to what an answer says; what the store has no place for is named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from instructglm.annotation.exchange.entries import Entry, GivenAnswer, GivenOutput, Leftover, Read, Said, faults_in
from instructglm.annotation.exchange.layout import Laid, criterion, target
from instructglm.annotation.store.incoming import short
from instructglm.annotation.store.tables import Origin

_EDITS = re.compile(r"(edit|correct|rewrite|revis)", re.IGNORECASE)
_COMMENTS = re.compile(r"(comment|remark|note|reason|why|explanation|rationale|feedback)s?", re.IGNORECASE)
_LARGEST = 1e15  # beyond it no scale goes, and a float tells whole numbers apart no more
LABEL = "label"


@dataclass
class Hearing:
    """One person's answer while its results are gone through."""

    sheet: Sheet
    person: str
    where: str
    round: int = 1
    at_ms: int | None = None
    took_ms: int = 0
    said: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    """By the question, for which there is one place only: `settled` chooses."""

    def leave(self, where: str, what: str) -> None:
        """Name something that the store has no place for."""
        self.sheet.leave(f"{self.where}.{where}", what)

    def rating(self, where: str, question: str, value: Any, named: str = "") -> None:
        place = target(self.sheet.keys, question, named)
        if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
            self.leave(where, f"no rating: {short(value)}")
        elif place is None:
            self.leave(where, f"a rating of which it is not told which of {len(self.sheet.keys)} outputs it is of")
        else:
            of = {"output": place, "criterion": criterion(question, self.sheet.keys), "value": value}
            self._add_once(where, "ratings", of, ("output", "criterion"))

    def ranking(self, where: str, ranks: Sequence[tuple[Any, Any]]) -> None:
        """Ranks by the keys of outputs; keys of which only the number fits will do."""
        if "ranks" in self.said:
            self.leave(where, "a second ranking")
            return
        places = [target(self.sheet.keys, "", one) if isinstance(one, str) else None for one, _ in ranks]
        known = None not in places and len(set(places)) == len(ranks) > 0
        if not known or not all(isinstance(rank, int) and 0 < rank < 10**6 for _, rank in ranks):
            self.leave(where, f"a ranking of something else than the outputs: {short(ranks)}")
            return
        self.said["ranks"] = [{"output": place, "rank": rank} for place, (_, rank) in zip(places, ranks, strict=True)]

    def choice(self, where: str, question: str, values: Any) -> None:
        chosen = values if isinstance(values, list) else [values]
        if len(chosen) != 1 or not isinstance(chosen[0], str) or not chosen[0] or question in self.labels:
            self.leave(where, f"not one choice of {question!r}: {short(values)}")
        else:
            self.labels[question] = chosen[0]

    def text(self, where: str, question: str, texts: Any, named: str = "") -> None:
        """A text that somebody wrote: an output, an edit of one, a reason, a comment."""
        given = texts if isinstance(texts, list) else [texts]
        if not all(isinstance(one, str) for one in given):
            self.leave(where, f"no text: {short(texts)}")
            return
        if question in ("flag", "skip", "reject") or question.startswith("reject_") or _COMMENTS.fullmatch(question):
            self._remark(where, question, "\n".join(given))
            return
        place = target(self.sheet.keys, question, named) if _EDITS.match(question) else None
        for one in given:
            if one:
                self._bring(one, named_place(self.sheet.keys, named) if place is None else place)

    def _remark(self, where: str, question: str, text: str) -> None:
        if question.startswith("reject"):
            place = target(self.sheet.keys, question) if question != "reject" else None
            self._add_once(where, "rejected", {"output": place, "reason": text}, ("output",))
            return
        name = question if question in ("flag", "skip") else "comment"
        if name in self.said:
            self.said[name] += f"\n{text}"
        else:
            self.said[name] = text

    def _bring(self, text: str, edited_from: int | None) -> None:
        """An output that the person wrote; our own exports have it among the outputs already."""
        outputs = self.sheet.outputs
        wanted = GivenOutput(text, Origin.PERSON, "", self.person, None, edited_from)
        same = (place for place, one in enumerate(outputs) if one._replace(round=None) == wanted)
        place = next((one for one in same if one not in self._brought()), len(outputs))
        outputs[place : place + 1] = [wanted._replace(round=self.round)]
        self.said.setdefault("written" if edited_from is None else "edits", []).append(place)

    def _brought(self) -> set[int]:
        """The places that this person's answers have brought already."""
        mine = (one.said for one in self.sheet.hearings if one.person == self.person)
        return {place for said in mine for place in (*said.get("written", ()), *said.get("edits", ()))}

    def _add_once(self, where: str, name: str, one: dict[str, Any], unique: Sequence[str]) -> None:
        held = self.said.setdefault(name, [])
        if any(all(other[part] == one[part] for part in unique) for other in held):
            self.leave(where, f"a second one of the same: {short(one)}")
        else:
            held.append(one)


def named_place(keys: Sequence[str], named: str) -> int | None:
    """The place of exactly this key."""
    return keys.index(named) if named in keys else None


@dataclass
class Sheet:
    """A record of a file while its answers are gone through."""

    place: str
    laid: Laid
    hearings: list[Hearing] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)

    @property
    def keys(self) -> list[str]:
        return self.laid.keys

    @property
    def outputs(self) -> list[GivenOutput]:
        return self.laid.outputs

    def leave(self, where: str, what: str) -> None:
        self.leftovers.append(Leftover(row=self.place, field=where, found=what))

    def hear(self, person: str, where: str, **told: Any) -> Hearing:
        """The next answer, by `person`; their second one to this item counts as of a second round."""
        before = sum(one.person == person for one in self.hearings)
        self.hearings.append(Hearing(self, person, where, round=1 + before, **told))
        return self.hearings[-1]


def settled(records: Sequence[Sheet]) -> Iterator[Read]:
    """The entries of a file, once it is known which questions of choice it asks.

    The store has one label for an item: where the file asks several, that of the
    question called `label`, else none; the others are named.
    """
    questions = {question for record in records for one in record.hearings for question in one.labels}
    taken = next(iter(questions)) if len(questions) == 1 else LABEL
    for record in records:
        entry = Entry(record.place, record.laid.held, tuple(record.outputs), tuple(_answers(record, taken)))
        faults = list(faults_in(entry, "answers"))
        yield from faults or (entry,)
        yield from record.leftovers


def _answers(record: Sheet, taken: str) -> Iterator[GivenAnswer]:
    for one in record.hearings:
        for question, label in one.labels.items():
            if question == taken:
                one.said["label"] = label
            else:
                one.leave(question, f"{short(label)}, the answer to one of several questions of choice")
        if "skip" in one.said:
            for name in sorted(one.said.keys() - {"skip", "comment", "flag"}):
                one.leave(name, "said of an item that was skipped")
                del one.said[name]
        if not one.said:
            record.leave(one.where, "an answer that says nothing")
            continue
        yield GivenAnswer(one.person, Said.model_validate(one.said), one.round, None, one.at_ms, one.took_ms)
