"""Reading a project back, as it stands or as it stood at any event of the log.

Everything comes as a stream of plain records: a million judgements need little
more memory than a thousand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, select, true

from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import (
    Annotation,
    Assignment,
    Event,
    Instruction,
    Kind,
    Output,
    Round,
    Submission,
    Withdrawal,
)
from instructglm.core.errors import DataError

_AT_ONCE = 5_000  # rows in memory


class Judgement(NamedTuple):
    """One annotation of one person, the last they gave in its round.

    `item` is the instruction's key, `annotator` the person's id, `round` the
    round's number. `value` holds ratings and ranks, `text` labels and reasons.
    """

    item: str
    instruction: int
    output: int | None
    annotator: int
    kind: str
    criterion: str
    value: float | None
    text: str | None
    domain: str
    round: int
    at_ms: int
    took_ms: int


class StoredInstruction(NamedTuple):
    """An instruction with what is known of it; `event` made it."""

    id: int
    key: str
    task: str
    messages: list[dict[str, Any]]
    domain: str
    complexity: str
    language: str
    source: str
    licence: str
    choices: list[str]
    extra: dict[str, Any]
    event: int


class StoredOutput(NamedTuple):
    """An output with where it comes from; `event` made it."""

    id: int
    instruction: int
    text: str
    origin: str
    person: int | None
    model: str
    round: int | None
    edited_from: int | None
    event: int


class Columns(NamedTuple):
    """Judgements as arrays, one row each: what agreement is computed from. Times are milliseconds since 1970."""

    items: NDArray[np.str_]  # (N,)
    outputs: NDArray[np.int64]  # (N,) 0: the judgement is of the item as a whole
    annotators: NDArray[np.int64]  # (N,)
    values: NDArray[np.float64] | NDArray[np.str_]  # (N,) labels where the kind is label
    domains: NDArray[np.str_]  # (N,)
    rounds: NDArray[np.int64]  # (N,)
    at_ms: NDArray[np.int64]  # (N,)


def judgements(
    store: Store,
    project: int,
    *,
    kinds: Sequence[Kind] = (),
    criterion: str | None = None,
    round: int | None = None,
    as_of: int | None = None,
    with_gold: bool = False,
) -> Iterator[Judgement]:
    """All judgements that hold, by submission: of what a person said of an item in a round, the last.

    What was said of an instruction or an output that was withdrawn is left out, as they are themselves.

    Args:
        store: where.
        project: whose.
        kinds: only these; empty: all.
        criterion: only ratings by this one.
        round: only of this number.
        as_of: what was said until this event; None: now. Which items are gold is always told as it is now.
        with_gold: those too that were given on gold items.

    Raises:
        DataError: the log has no event of this number.
    """
    wanted = (
        Annotation.kind.in_(kinds) if kinds else true(),
        true() if criterion is None else Annotation.criterion == criterion,
        true() if round is None else Round.number == round,
        true() if with_gold else ~_is_gold_place(),
        _until(Annotation.event, as_of),
        ~is_withdrawn(Withdrawal.output == Annotation.output, as_of),
        is_last(as_of),
    )
    with store.read() as connection:
        _see_event(connection, as_of)
        # Looked up here, not joined: a prompt may be long, and a join would read it once for every judgement.
        gone = is_withdrawn(Withdrawal.instruction == Instruction.id, as_of)
        query = select(Instruction.id, Instruction.key, Instruction.domain).where(Instruction.project == project, ~gone)
        named = {row.id: (row.key, row.domain) for row in connection.execute(query)}
        for row in blocks(connection, _judgements_query(project).where(*wanted)):
            instruction, *said, number, at_ms, took_ms = row
            if instruction not in named:
                continue
            key, domain = named[instruction]
            yield Judgement._make((key, instruction, *said, domain, number, at_ms, took_ms))


def _judgements_query(project: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Submission.instruction,
            Annotation.output,
            Submission.person,
            Annotation.kind,
            Annotation.criterion,
            Annotation.value,
            Annotation.text,
            Round.number,
            Submission.at_ms,
            Submission.took_ms,
        )
        .join(Submission, Submission.id == Annotation.submission)
        .join(Round, Round.id == Submission.round)
        .where(Round.project == project)
        .order_by(Annotation.id)
    )


def _is_gold_place() -> ColumnElement[bool]:
    return exists().where(Assignment.id == Submission.assignment, Assignment.is_gold)


def is_last(as_of: int | None) -> ColumnElement[bool]:
    """Whether no later revision of the same answer stood at that event."""
    later = Submission.__table__.alias("later")
    newer = and_(later.c.assignment == Submission.assignment, later.c.revision > Submission.revision)
    return ~exists().where(newer, _until(later.c.event, as_of))


def is_withdrawn(which: ColumnElement[bool], as_of: int | None) -> ColumnElement[bool]:
    """Whether what a condition on withdrawals names was withdrawn by that event."""
    return exists().where(which, _until(Withdrawal.event, as_of))


def _until(event: Any, as_of: int | None) -> ColumnElement[bool]:
    return true() if as_of is None else event <= as_of


def instructions(store: Store, project: int, *, as_of: int | None = None) -> Iterator[StoredInstruction]:
    """The instructions in use, in the order of their coming.

    Raises:
        DataError: the log has no event of this number.
    """
    gone = is_withdrawn(Withdrawal.instruction == Instruction.id, as_of)
    columns = [getattr(Instruction, name) for name in StoredInstruction._fields]
    here = (Instruction.project == project, ~gone, _until(Instruction.event, as_of))
    return _stream(store, select(*columns).where(*here).order_by(Instruction.id), StoredInstruction, as_of)


def outputs(store: Store, project: int, *, as_of: int | None = None) -> Iterator[StoredOutput]:
    """The outputs in use, in the order of their coming.

    Raises:
        DataError: the log has no event of this number.
    """
    gone = is_withdrawn(Withdrawal.output == Output.id, as_of)
    columns = [getattr(Output, name) for name in StoredOutput._fields]
    query = select(*columns).join(Instruction, Instruction.id == Output.instruction)
    here = (Instruction.project == project, ~gone, _until(Output.event, as_of))
    return _stream(store, query.where(*here).order_by(Output.id), StoredOutput, as_of)


def _stream(store: Store, query: Select[*tuple[Any, ...]], kind: Any, as_of: int | None) -> Iterator[Any]:
    with store.read() as connection:
        _see_event(connection, as_of)
        for row in blocks(connection, query):
            yield kind._make(row)


def _see_event(connection: Connection, number: int | None) -> None:
    end = connection.scalar(select(func.max(Event.number))) or 0
    if number is not None and not 0 <= number <= end:
        raise DataError(f"there is no event {number}", hint=f"The log holds 1 to {end}.")


def blocks(connection: Connection, query: Select[*tuple[Any, ...]]) -> Iterator[Any]:
    """The rows of a query, some thousand in memory at a time."""
    for block in connection.execute(query.execution_options(yield_per=_AT_ONCE)).partitions():
        yield from block


def as_columns(found: Iterator[Judgement]) -> Columns:
    """Judgements as arrays. Labels stay text; ratings and ranks are numbers."""
    rows = [(j.item, j.output or 0, j.annotator, j.text if j.value is None else j.value, *j[8:11]) for j in found]
    items, outputs, annotators, values, domains, rounds, at_ms = zip(*rows, strict=True) if rows else ((),) * 7
    return Columns(
        np.array(items, dtype=np.str_),
        np.array(outputs, dtype=np.int64),
        np.array(annotators, dtype=np.int64),
        np.array(values),
        np.array(domains, dtype=np.str_),
        np.array(rounds, dtype=np.int64),
        np.array(at_ms, dtype=np.int64),
    )
