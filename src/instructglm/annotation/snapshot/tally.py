"""Counting what is in and what is not, instruction by instruction."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from instructglm.annotation.snapshot.items import Item, Outcome
from instructglm.annotation.snapshot.ledger import LeftOut, Reason, from_counts
from instructglm.annotation.snapshot.manifest import Coverage, PreferenceCounts, Summary
from instructglm.annotation.snapshot.preferences import NotAPair, Pair
from instructglm.annotation.snapshot.survey import Survey

COLUMNS = ("domain", "complexity", "language", "source", "licence")


def _counter() -> Counter[str]:
    return Counter()


@dataclass
class Tally:
    """The counts of a snapshot while it is made."""

    num_instructions: int = 0
    num_examples: int = 0
    num_closed: int = 0
    num_outputs: int = 0
    decided_by: Counter[str] = field(default_factory=_counter)
    origins: Counter[str] = field(default_factory=_counter)
    left_out: Counter[tuple[bool, Reason]] = field(default_factory=Counter)
    pairs: Counter[str] = field(default_factory=_counter)
    no_pairs: Counter[NotAPair] = field(default_factory=Counter)
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    accepted: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add_withdrawn(self, entry: LeftOut) -> None:
        """Count what was taken out of use before anybody decided."""
        self.num_instructions += entry.output is None
        self._leave_out(entry)

    def add(self, item: Item, outcome: Outcome) -> None:
        """Count an instruction, in or out, with all that was left out of it."""
        self.num_instructions += 1
        told = [(column, getattr(item.instruction, column)) for column in COLUMNS]
        self.seen.update(told)
        for entry in outcome.left_out:
            self._leave_out(entry)
        if outcome.accepted:
            self.accepted.update(told)
            self.num_examples += 1
            self.num_closed += bool(item.instruction.choices)
            self.num_outputs += len(outcome.accepted)
            self.decided_by[outcome.decided_by] += 1
            self.origins.update(one.origin for one in outcome.accepted)

    def add_pair(self, found: Pair | NotAPair) -> None:
        """Count two outputs that somebody compared."""
        if isinstance(found, Pair):
            self.pairs[found.by] += 1
        else:
            self.no_pairs[found] += 1

    def _leave_out(self, entry: LeftOut) -> None:
        self.left_out[entry.output is None, entry.reason] += 1

    def summary(self, name: str, found: Survey) -> Summary:
        """The counts as they are told."""
        return Summary(
            name=name,
            project=found.state.name,
            event=found.state.head.spelled(),
            options=found.options,
            num_instructions=self.num_instructions,
            num_examples=self.num_examples,
            num_closed=self.num_closed,
            num_outputs=self.num_outputs,
            decided_by=_ordered(self.decided_by),
            origins=_ordered(self.origins),
            left_out=from_counts(self.left_out),
            preferences=PreferenceCounts(
                num_pairs=self.pairs.total(), by=_ordered(self.pairs), left_out=_ordered(Counter(self.no_pairs))
            ),
            coverage=tuple(self._coverage()),
            num_unusable_ratings=found.ratings.num_unusable,
            num_counted_labels=found.votings.num_counted,
            warnings=found.votings.warnings,
        )

    def _coverage(self) -> list[Coverage]:
        """Each column's values, most frequent first."""
        places = {column: place for place, column in enumerate(COLUMNS)}
        ordered = sorted(self.seen.items(), key=lambda one: (places[one[0][0]], -one[1], one[0][1]))
        return [
            Coverage(column=column, value=value, num_instructions=n, num_accepted=self.accepted[column, value])
            for (column, value), n in ordered
        ]


def _ordered(counts: Counter[str]) -> dict[str, int]:
    """Most frequent first, then by name: the same whatever came first."""
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
