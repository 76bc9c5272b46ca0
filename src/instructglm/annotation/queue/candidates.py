"""What a round can hold, which share of it, and in which order people meet it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from math import ceil
from typing import Any

from sqlalchemy import Connection, Select, select

from instructglm.annotation.queue.gold import is_gold
from instructglm.annotation.queue.tasks import instruction_in_use
from instructglm.annotation.store.tables import Instruction
from instructglm.core.errors import DataError
from instructglm.core.ids import unit_interval


def candidates(connection: Connection, project: int, instructions: Collection[int] | None) -> list[Any]:
    """The rows of these instructions (None: of all that a round can hold), in the order of their coming.

    Raises:
        DataError: one of them can not be in a round.
    """
    rows = connection.execute(candidates_query(project)).all()
    if instructions is None:
        return list(rows)
    if unfit := set(instructions) - {row.id for row in rows}:
        named = ", ".join(map(str, sorted(unfit)))
        raise DataError(f"instruction {named}: gold, withdrawn, or not of this project", hint="Choose other ones.")
    wanted = set(instructions)
    return [row for row in rows if row.id in wanted]


def candidates_query(project: int) -> Select[*tuple[Any, ...]]:
    """All that a round can hold: not withdrawn, and not gold."""
    return (
        select(Instruction.id, Instruction.key, Instruction.domain)
        .where(Instruction.project == project, instruction_in_use(Instruction.id), ~is_gold(Instruction.id))
        .order_by(Instruction.id)
    )


def share_of(candidates: Sequence[Any], share: float, number: int) -> list[Any]:
    """A share of them, drawn at random but the same on every machine."""
    if share == 1.0:
        return list(candidates)
    drawn = sorted(candidates, key=lambda one: unit_interval("share of a round", number, one.key))
    return drawn[: ceil(share * len(candidates))]


def mixed(round: int, chosen: Sequence[Any]) -> Iterator[Any]:
    """Items in random order, with every domain spread evenly over the whole of it."""
    domains = defaultdict(list)
    for one in chosen:
        domains[one.domain].append((unit_interval("order of items", round, one.key), one.id, one))
    places = []
    for members in domains.values():
        ordered = enumerate(sorted(members, key=lambda member: member[:2]))
        places += [((place + draw) / len(members), number, one) for place, (draw, number, one) in ordered]
    return (one for _, _, one in sorted(places, key=lambda place: place[:2]))
