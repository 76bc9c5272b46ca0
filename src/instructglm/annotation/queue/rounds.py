"""Rounds: which items are annotated, by how many, and whether people see what was said before."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import inf
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from instructglm.annotation.queue import places
from instructglm.annotation.queue.candidates import candidates, candidates_query, mixed, share_of
from instructglm.annotation.queue.claim import open_round_of
from instructglm.annotation.store.chain import Change, head, record
from instructglm.annotation.store.projects import ProjectInfo, read_project
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import Instruction, Item, Round
from instructglm.core.errors import DataError
from instructglm.core.records import Record

_AT_ONCE = 5_000  # rows a statement


class RoundInfo(Record):
    """A round as it stands."""

    id: int
    number: int
    blind: bool
    delay_ms: int
    is_open: bool


class RoundPlan(Record):
    """What opening a round would do: `num_places` are its items times their annotators, `closes` ends another round."""

    number: int
    num_items: int
    num_places: int
    closes: int | None


def open_round(
    store: Store,
    project: int,
    *,
    blind: bool = False,
    instructions: Collection[int] | None = None,
    share: float = 1.0,
    annotators: int | None = None,
    delay_s: float = 0.0,
    person: int | None = None,
) -> RoundInfo:
    """Put items into a new queue. The round that was open is closed; who holds an item of it may finish.

    Args:
        store: where.
        project: whose items.
        blind: show nothing that people wrote or said before; one may meet one's own items again.
        instructions: which (those of low agreement, say); None: all of the project but gold and withdrawn ones.
        share: of them, drawn at random but the same on every machine.
        annotators: for each item; None: what the project's settings say.
        delay_s: nobody meets what they annotated in an earlier round less than this ago.
        person: who opens it.

    Raises:
        DataError: there is no such project, nothing to annotate, an instruction that cannot be, or a number that
            means nothing.
    """
    _see_shape(share, annotators, delay_s)
    with store.write() as write:
        info = read_project(write.connection, project)
        number, chosen = _next_round(write.connection, project, instructions, share)
        closed = _close(write, project)
        values = {"number": number, "blind": blind, "delay_ms": round(delay_s * 1000), "is_open": True}
        made = {"id": write.next_id(Round.id), **values}
        rest = {"project": project, "annotators": annotators, "seen_event": head(write.connection).number}
        write.connection.execute(insert(Round), {**made, **rest})
        _queue(write, info, made["id"], chosen, annotators, first_position=1)
        body = {"number": number, "blind": blind, "delay_ms": made["delay_ms"], "items": len(chosen), "share": share}
        record(write, Change("round opened", project, person, body | {"annotators": annotators, "closed": closed}))
    return RoundInfo.model_validate(made)


def plan_round(
    store: Store,
    project: int,
    *,
    instructions: Collection[int] | None = None,
    share: float = 1.0,
    annotators: int | None = None,
) -> RoundPlan:
    """What `open_round` would do now, with the same arguments; nothing is stored.

    Raises:
        DataError: it would refuse.
    """
    _see_shape(share, annotators, delay_s=0)
    with store.read() as connection:
        info = read_project(connection, project)
        number, chosen = _next_round(connection, project, instructions, share)
        current = open_round_of(connection, project)
    places = sum(annotators or info.settings.annotators_for(one.domain) for one in chosen)
    closes = None if current is None else int(current.number)
    return RoundPlan(number=number, num_items=len(chosen), num_places=places, closes=closes)


def _next_round(
    connection: Connection, project: int, instructions: Collection[int] | None, share: float
) -> tuple[int, list[Any]]:
    """The number of the round that comes, and its items."""
    number = 1 + (connection.scalar(select(func.max(Round.number)).where(Round.project == project)) or 0)
    chosen = share_of(candidates(connection, project, instructions), share, number)
    if not chosen:
        raise DataError("there is no item for this round", hint="Import instructions, or choose other ones.")
    return number, chosen


def _see_shape(share: float, annotators: int | None, delay_s: float) -> None:
    faults = []
    if not 0 < share <= 1:
        faults.append(f"share: found {share}; expected more than 0, and at most 1")
    if annotators is not None and annotators < 1:
        faults.append(f"annotators: found {annotators}; expected at least 1, or None")
    if not 0 <= delay_s < inf:
        faults.append(f"delay_s: found {delay_s}; expected 0 or more seconds")
    if faults:
        raise DataError(*faults, hint="No round was opened.")


def close_round(store: Store, project: int, *, person: int | None = None) -> None:
    """Give out no more items; who holds one may finish it."""
    with store.write() as write:
        if (number := _close(write, project)) is not None:
            record(write, Change("round closed", project, person, {"number": number}))


def _close(write: Write, project: int) -> int | None:
    round = open_round_of(write.connection, project)
    if round is None:
        return None
    write.connection.execute(update(Round).where(Round.id == round.id).values(is_open=False))
    return int(round.number)


def add_new_instructions(store: Store, project: int, *, person: int | None = None) -> int:
    """Put what was imported since the round was opened into its queue, at its end, and tell how many that are.

    They need as many annotators as its other items.

    Raises:
        DataError: no round is open.
    """
    with store.write() as write:
        info, round = read_project(write.connection, project), _open_round(write.connection, project)
        new = _new_instructions(write.connection, project, round)
        end = write.connection.scalar(select(func.max(Item.position)).where(Item.round == round.id)) or 0
        _queue(write, info, round.id, new, round.annotators, first_position=end + 1)
        record(write, Change("items added", project, person, {"round": round.number, "items": len(new)}))
    return len(new)


def count_new_instructions(store: Store, project: int) -> int:
    """How many instructions `add_new_instructions` would add now; 0 where no round is open."""
    with store.read() as connection:
        round = open_round_of(connection, project)
        return 0 if round is None else len(_new_instructions(connection, project, round))


def _new_instructions(connection: Connection, project: int, round: Any) -> list[Any]:
    queued = select(Item.instruction).where(Item.round == round.id, Item.instruction == Instruction.id)
    query = candidates_query(project).where(Instruction.event > round.seen_event, ~queued.exists())
    return list(connection.execute(query).all())


def need_more(
    store: Store, project: int, instructions: Sequence[int], *, extra: int = 1, person: int | None = None
) -> None:
    """Ask for more annotators for items of the open round.

    Raises:
        DataError: no round is open, an instruction is not in it, or `extra` is less than 1.
    """
    if extra < 1:
        raise DataError(f"extra: found {extra}; expected at least 1", hint="Nothing was changed.")
    with store.write() as write:
        round = _open_round(write.connection, project)
        places.need_more(write, round.id, instructions, extra)
        body = {"round": round.number, "instructions": list(instructions), "extra": extra}
        record(write, Change("more annotators needed", project, person, body))


def list_rounds(store: Store, project: int) -> tuple[RoundInfo, ...]:
    """The rounds of a project, in their order."""
    query = select(Round.id, Round.number, Round.blind, Round.delay_ms, Round.is_open)
    with store.read() as connection:
        rows = connection.execute(query.where(Round.project == project).order_by(Round.number))
        return tuple(RoundInfo.model_validate(dict(row._mapping)) for row in rows)


def _open_round(connection: Connection, project: int) -> Any:
    found = open_round_of(connection, project)
    if found is None:
        raise DataError("no round is open", hint="Open one first.")
    return found


def _queue(
    write: Write, info: ProjectInfo, round: int, chosen: Sequence[Any], annotators: int | None, first_position: int
) -> None:
    rows = [
        {
            "round": round,
            "instruction": one.id,
            "position": position,
            "needed": annotators or info.settings.annotators_for(one.domain),
            "taken": 0,
        }
        for position, one in enumerate(mixed(round, chosen), start=first_position)
    ]
    for start in range(0, len(rows), _AT_ONCE):
        write.connection.execute(insert(Item), rows[start : start + _AT_ONCE])
