"""How many instructions there are of each domain, complexity and language, how far they are, and what was wanted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, case, distinct, exists, func, literal, select

from instructglm.annotation.queue.gold import is_gold
from instructglm.annotation.queue.tasks import in_use, instruction_in_use
from instructglm.annotation.store.projects import ProjectInfo, Settings, Target, read_project, revise_settings
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Assignment, Instruction, Output, Round, State
from instructglm.core.records import Record


class Cell(Record):
    """The instructions in use of one domain, complexity and language; an empty name: it was not told.

    `num_annotated` were answered by as many people as the project's settings
    ask for, whatever the rounds. Gold items are annotated all the time; they
    count neither as annotated nor as waiting.
    """

    domain: str
    complexity: str
    language: str
    num_instructions: int
    num_with_output: int
    num_annotated: int
    num_gold: int

    @property
    def num_waiting(self) -> int:
        return self.num_instructions - self.num_annotated - self.num_gold


class Reached(Record):
    """A target, and how many instructions there are of it."""

    target: Target
    num_instructions: int

    @property
    def num_missing(self) -> int:
        return max(0, self.target.num - self.num_instructions)


class Coverage(Record):
    """A project's instructions, counted. `cells` are in the order of their names."""

    cells: tuple[Cell, ...]
    targets: tuple[Reached, ...]

    @property
    def num_instructions(self) -> int:
        return sum(cell.num_instructions for cell in self.cells)

    @property
    def domains(self) -> tuple[str, ...]:
        return tuple(sorted({cell.domain for cell in self.cells}))

    @property
    def complexities(self) -> tuple[str, ...]:
        return tuple(sorted({cell.complexity for cell in self.cells}))

    def count(self, target: Target) -> int:
        """How many instructions are of this domain, complexity and language."""
        return sum(cell.num_instructions for cell in self.cells if _is_of(cell, target))


def _is_of(cell: Cell, target: Target) -> bool:
    named = (cell.domain, cell.complexity, cell.language)
    return all(wanted is None or wanted == found for wanted, found in zip(target.place, named, strict=True))


def coverage(store: Store, project: int) -> Coverage:
    """What a project has, and what was wanted.

    Raises:
        DataError: there is no such project.
    """
    with store.read() as connection:
        info = read_project(connection, project)
        cells = [Cell.model_validate(dict(row)) for row in connection.execute(_query(info)).mappings()]
    ordered = sorted(cells, key=lambda cell: (cell.domain, cell.complexity, cell.language))
    counted = Coverage(cells=tuple(ordered), targets=())
    targets = (Reached(target=one, num_instructions=counted.count(one)) for one in info.settings.targets)
    return counted.model_copy(update={"targets": tuple(targets)})


def _query(info: ProjectInfo) -> Select[*tuple[Any, ...]]:
    place = (Instruction.domain, Instruction.complexity, Instruction.language)
    done, gold = _done(info.id), is_gold(Instruction.id)
    is_done = func.coalesce(done.c.num_people, 0) >= _needed(info.settings)
    has_output = exists().where(Output.instruction == Instruction.id, in_use(Output.id))
    return (
        select(
            *place,
            func.count().label("num_instructions"),
            _number(has_output).label("num_with_output"),
            _number(is_done & ~gold).label("num_annotated"),
            _number(gold).label("num_gold"),
        )
        .outerjoin(done, done.c.instruction == Instruction.id)
        .where(Instruction.project == info.id, instruction_in_use(Instruction.id))
        .group_by(*place)
    )


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _done(project: int) -> Subquery:
    """How many people answered each instruction."""
    return (
        select(Assignment.instruction, func.count(distinct(Assignment.person)).label("num_people"))
        .join(Round, Round.id == Assignment.round)
        .where(Round.project == project, Assignment.state == State.DONE)
        .group_by(Assignment.instruction)
        .subquery()
    )


def _needed(settings: Settings) -> ColumnElement[int]:
    by_domain = [(Instruction.domain == domain, k) for domain, k in settings.annotators_per_domain.items()]
    everywhere = literal(settings.annotators_per_item)
    return case(*by_domain, else_=everywhere) if by_domain else everywhere


def set_target(store: Store, project: int, target: Target, *, person: int | None = None) -> None:
    """Say how many instructions of a domain, complexity and language are wanted; the last word on a place holds."""
    revise_settings(store, project, lambda settings: _with(settings, target.place, target), person=person)


def drop_target(
    store: Store,
    project: int,
    *,
    domain: str | None = None,
    complexity: str | None = None,
    language: str | None = None,
    person: int | None = None,
) -> None:
    """Want no number of this place any more; without a target there, nothing is changed."""
    place = (domain, complexity, language)
    revise_settings(store, project, lambda settings: _with(settings, place), person=person)


def _with(settings: Settings, place: tuple[str | None, str | None, str | None], *targets: Target) -> Settings:
    """The settings with these targets in the place of the one there was."""
    others = tuple(target for target in settings.targets if target.place != place)
    return settings.model_copy(update={"targets": (*others, *targets)})
