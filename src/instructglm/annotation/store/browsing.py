"""Looking through a project's instructions: a page at a time, by what is known of them and what stands in them.

A page begins after an id and not at a number, so that the thousandth costs what the first does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Text, cast, exists, func, select, true

from instructglm.annotation.store.reading import blocks
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import GoldAnswer, Instruction, Output, Withdrawal
from instructglm.core.records import Record

Standing = Literal["in use", "gold", "withdrawn"]

_EXAMINED = 20_000  # instructions a search looks into before it shows what it has
_MOST_VALUES = 200  # names of one facet


class Search(Record):
    """Which instructions: None takes any, and `text` what holds it, in upper or lower case."""

    domain: str | None = None
    complexity: str | None = None
    language: str | None = None
    standing: Standing = "in use"
    text: str = ""


class Found(Record):
    """An instruction in a list: `text` is what its last message says."""

    id: int
    text: str
    domain: str
    complexity: str
    language: str
    num_outputs: int


class FoundPage(Record):
    """Instructions in the order of their coming. `next` begins the next page; None: there is none.

    A search that looked into very many without filling its page ends early; its `next` goes on.
    """

    instructions: tuple[Found, ...]
    next: int | None


class Facets(Record):
    """The values in a project, each with the number of instructions in use, most frequent first."""

    domain: tuple[tuple[str, int], ...]
    complexity: tuple[tuple[str, int], ...]
    language: tuple[tuple[str, int], ...]


def find_instructions(store: Store, project: int, search: Search, *, after: int = 0, limit: int = 50) -> FoundPage:
    """A page of at most `limit` instructions whose id is above `after`."""
    with store.read() as connection:
        rows, going_on = _page(connection, project, search, after, limit)
        numbers = _num_outputs(connection, [row.id for row in rows])
    found = (
        Found(
            id=row.id,
            text=row.messages[-1]["content"],
            domain=row.domain,
            complexity=row.complexity,
            language=row.language,
            num_outputs=numbers.get(row.id, 0),
        )
        for row in rows
    )
    return FoundPage(instructions=tuple(found), next=going_on)


def _page(
    connection: Connection, project: int, search: Search, after: int, limit: int
) -> tuple[list[Row[*tuple[Any, ...]]], int | None]:
    rows: list[Row[*tuple[Any, ...]]] = []
    for number, row in enumerate(_candidates(connection, project, search, after, limit)):
        if number >= _EXAMINED:
            return rows, after
        if _holds(row.messages, search.text):
            if len(rows) == limit:
                return rows, after
            rows.append(row)
        after = row.id
    return rows, None


def _candidates(
    connection: Connection, project: int, search: Search, after: int, limit: int
) -> Iterator[Row[*tuple[Any, ...]]]:
    """What the database finds. A text it seeks in the spelling of JSON, where the names of fields are found too."""
    columns = (Instruction.id, Instruction.messages, Instruction.domain, Instruction.complexity, Instruction.language)
    query = select(*columns).where(Instruction.id > after, _of(project), *_known(search), _standing(search.standing))
    if search.text:
        limit = _EXAMINED
        spelled = json.dumps(search.text, ensure_ascii=False)[1:-1]
        query = query.where(cast(Instruction.messages, Text).icontains(spelled, autoescape=True))
    return blocks(connection, query.order_by(Instruction.id).limit(limit + 1))


def _of(project: int) -> ColumnElement[bool]:
    """Spelled as a sum, so that databases walk the ids in order instead of sorting all of the project."""
    return Instruction.project + 0 == project


def _known(search: Search) -> list[ColumnElement[bool]]:
    wanted = {name: getattr(search, name) for name in Facets.model_fields}
    return [getattr(Instruction, name) == value for name, value in wanted.items() if value is not None]


def _standing(standing: Standing) -> ColumnElement[bool]:
    gone = exists().where(Withdrawal.instruction == Instruction.id)
    if standing == "withdrawn":
        return gone
    return ~gone & (exists().where(GoldAnswer.instruction == Instruction.id) if standing == "gold" else true())


def _holds(messages: Sequence[dict[str, Any]], text: str) -> bool:
    return not text or any(text.casefold() in message["content"].casefold() for message in messages)


def _num_outputs(connection: Connection, instructions: Sequence[int]) -> dict[int, int]:
    in_use = ~exists().where(Withdrawal.output == Output.id)
    query = select(Output.instruction, func.count().label("n")).where(Output.instruction.in_(instructions), in_use)
    return {row.instruction: row.n for row in connection.execute(query.group_by(Output.instruction))}


def facets(store: Store, project: int) -> Facets:
    """What the instructions in use of a project are of: what to choose from."""
    columns = [getattr(Instruction, name) for name in Facets.model_fields]
    query = select(func.count().label("n"), *columns).where(Instruction.project == project, _standing("in use"))
    counts = {name: Counter[str]() for name in Facets.model_fields}
    with store.read() as connection:
        for row in connection.execute(query.group_by(*columns)):
            for name, counter in counts.items():
                counter[getattr(row, name)] += row.n
    return Facets(**{name: _most_frequent(counter) for name, counter in counts.items()})


def _most_frequent(counter: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counter.items(), key=lambda one: (-one[1], one[0]))[:_MOST_VALUES])
