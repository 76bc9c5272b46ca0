"""Choosing instructions to be seen again: those on which people differ, or that too few have seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Connection, Select, func, select

from instructglm.annotation.queue.candidates import candidates_query
from instructglm.annotation.queue.claim import open_round_of
from instructglm.annotation.store.reading import judgements
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Instruction, Item, Kind, Round, Submission
from instructglm.core.records import Record

Which = Literal["all", "split", "confused", "few"]


class Choice(Record):
    """Which instructions.

    `split`: those where two people differ, by at least `apart` on a scale.
    `confused`: those that got both values of `values`. `few`: those that fewer
    than `fewer_than` people have answered. The first two look at ratings by
    `criterion`, or at labels where it is empty. `domain` keeps those of one domain.
    """

    which: Which = "all"
    domain: str | None = None
    criterion: str = ""
    apart: float = Field(1.0, ge=0, allow_inf_nan=False)
    values: tuple[str, str] = ("", "")
    fewer_than: int = Field(2, ge=1, le=1000)


def choose(store: Store, project: int, choice: Choice, *, of_open_round: bool = False) -> list[int]:
    """The ids of the chosen instructions, in rising order.

    Of all that a round can hold: not withdrawn, and not gold; or of those alone
    that are in the queue of the open round.

    Raises:
        DataError: there is no such project.
    """
    with store.read() as connection:
        possible = set(connection.scalars(_possible(connection, project, choice.domain, of_open_round)))
    return sorted(possible.intersection(CHOICES[choice.which](store, project, choice, possible)))


def _possible(connection: Connection, project: int, domain: str | None, of_open_round: bool) -> Select[int]:
    query = candidates_query(project).with_only_columns(Instruction.id)
    if domain is not None:
        query = query.where(Instruction.domain == domain)
    if not of_open_round:
        return query
    round = open_round_of(connection, project)
    queued = select(Item.instruction).where(Item.round == (round.id if round else None))
    return query.where(Instruction.id.in_(queued))


def _all(store: Store, project: int, choice: Choice, possible: set[int]) -> Iterator[int]:
    return iter(possible)


def _split(store: Store, project: int, choice: Choice, possible: set[int]) -> Iterator[int]:
    for instruction, values in _values(store, project, choice.criterion):
        if len(set(values)) > 1 and (not choice.criterion or max(values) - min(values) >= choice.apart):
            yield instruction


def _confused(store: Store, project: int, choice: Choice, possible: set[int]) -> Iterator[int]:
    wanted = set(choice.values)
    for instruction, values in _values(store, project, choice.criterion):
        if wanted <= {value if isinstance(value, str) else f"{value:g}" for value in values}:
            yield instruction


def _few(store: Store, project: int, choice: Choice, possible: set[int]) -> Iterator[int]:
    people = func.count(Submission.person.distinct())
    query = select(Submission.instruction).join(Round, Round.id == Submission.round).where(Round.project == project)
    with store.read() as connection:
        enough = query.group_by(Submission.instruction).having(people >= choice.fewer_than)
        yield from possible.difference(connection.scalars(enough))


def _values(store: Store, project: int, criterion: str) -> Iterator[tuple[int, list[Any]]]:
    """An instruction with what people last said of it, or of one of its outputs, for each of these."""
    said: dict[tuple[int, int | None], dict[int, Any]] = defaultdict(dict)
    kinds = (Kind.RATING if criterion else Kind.LABEL,)
    for one in judgements(store, project, kinds=kinds, criterion=criterion or None):
        said[one.instruction, one.output][one.annotator] = one.value if criterion else one.text
    return ((instruction, list(values.values())) for (instruction, _), values in said.items())


CHOICES: Mapping[str, Callable[[Store, int, Choice, set[int]], Iterator[int]]] = {
    "all": _all,
    "split": _split,
    "confused": _confused,
    "few": _few,
}
