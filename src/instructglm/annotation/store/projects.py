"""Projects, how they are annotated, and the guidelines of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Self

from pydantic import Field, model_validator
from sqlalchemy import Connection, Select, bindparam, func, insert, select, update

from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import Event, Guideline, Person, Project
from instructglm.core.errors import DataError
from instructglm.core.records import Record


class Scale(Record):
    """The ratings from `low` to `high`, in steps of one; `labels` tell the ends, or all of them."""

    low: int = 1
    high: int = 5
    labels: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"a scale rises: found {self.low} to {self.high}")
        return self


class Target(Record):
    """How many instructions are to be collected of a domain, complexity and language; None: of any."""

    domain: str | None = None
    complexity: str | None = None
    language: str | None = None
    num: int = Field(ge=1)

    @property
    def place(self) -> tuple[str | None, str | None, str | None]:
        return self.domain, self.complexity, self.language


class Settings(Record):
    """How a project is annotated, and what is to be collected for it (`targets`).

    `annotators_per_item` holds but for the domains in `annotators_per_domain`.
    A lease is given back `lease_s` seconds after its last sign of life. Of the
    items a person gets, about `gold_share` are gold, as long as there are any.
    """

    annotators_per_item: int = Field(2, ge=1)
    annotators_per_domain: dict[str, int] = Field(default_factory=dict)
    criteria: dict[str, Scale] = Field(default_factory=lambda: {"quality": Scale()})
    lease_s: float = Field(900.0, gt=0)
    gold_share: float = Field(0.05, ge=0, le=1)
    targets: tuple[Target, ...] = ()

    @model_validator(mode="after")
    def _somebody_annotates(self) -> Self:
        if none := [domain for domain, k in self.annotators_per_domain.items() if k < 1]:
            raise ValueError(f"annotators_per_domain: at least 1 each; found less for {', '.join(none)}")
        return self

    @model_validator(mode="after")
    def _one_target_a_place(self) -> Self:
        if len({target.place for target in self.targets}) < len(self.targets):
            raise ValueError("targets: two of them are of the same domain, complexity and language")
        return self

    def annotators_for(self, domain: str) -> int:
        return self.annotators_per_domain.get(domain, self.annotators_per_item)

    @property
    def lease_ms(self) -> int:
        return round(self.lease_s * 1000)


class ProjectInfo(Record):
    """A project as it stands."""

    id: int
    name: str
    settings: Settings


class GuidelineVersion(Record):
    """One version of what annotators are told to do, since when it holds, and who wrote it.

    `at_ms` are milliseconds since 1970, UTC; `author` is None where it came from the command line or Python.
    """

    version: int
    text: str
    at_ms: int
    author: str | None


def create_project(store: Store, name: str, settings: Settings | None = None, *, person: int | None = None) -> int:
    """Make a project and tell its id.

    Raises:
        DataError: there is one of this name.
    """
    settings = settings or Settings()
    with store.write() as write:
        _see_name(write.connection, name)
        project, held = write.next_id(Project.id), settings.model_dump(mode="json")
        write.connection.execute(insert(Project), {"id": project, "name": name, "settings": held})
        record(write, Change("project created", project, person, {"name": name, "settings": held}))
    return project


def change_settings(store: Store, project: int, settings: Settings, *, person: int | None = None) -> None:
    """Change how a project is annotated; items already in a queue keep the number of annotators they have."""
    with store.write() as write:
        read_project(write.connection, project)
        _hold_settings(write, project, settings, person)


def revise_settings(
    store: Store, project: int, revise: Callable[[Settings], Settings], *, person: int | None = None
) -> None:
    """Change the settings from what they are at that moment; two who change different ones both have their way."""
    with store.write() as write:
        before = read_project(write.connection, project).settings
        if (after := revise(before)) != before:
            _hold_settings(write, project, after, person)


def _hold_settings(write: Write, project: int, settings: Settings, person: int | None) -> None:
    held = settings.model_dump(mode="json")
    write.connection.execute(update(Project).where(Project.id == project).values(settings=held))
    record(write, Change("settings changed", project, person, {"settings": held}))


def rename_project(store: Store, project: int, name: str, *, person: int | None = None) -> None:
    """Give a project another name.

    Raises:
        DataError: there is no such project, or another of this name.
    """
    with store.write() as write:
        if read_project(write.connection, project).name == name:
            return
        _see_name(write.connection, name)
        write.connection.execute(update(Project).where(Project.id == project).values(name=name))
        record(write, Change("project renamed", project, person, {"name": name}))


def _see_name(connection: Connection, name: str) -> None:
    if connection.scalar(select(Project.id).where(Project.name == name)):
        raise DataError(f"there is already a project named {name!r}", hint="Choose another name.")


def read_project(connection: Connection, project: int) -> ProjectInfo:
    """A project by its id.

    Raises:
        DataError: there is none.
    """
    found = connection.execute(_by_id(), {"project": project}).first()
    if found is None:
        raise DataError(f"there is no project {project}", hint="`instructglm annotate status` lists them.")
    return ProjectInfo(id=project, name=found.name, settings=Settings.model_validate(found.settings))


@cache
def _by_id() -> Select[str, Any]:
    return select(Project.name, Project.settings).where(Project.id == bindparam("project"))


def list_projects(store: Store) -> tuple[ProjectInfo, ...]:
    """All projects, in the order of their making."""
    with store.read() as connection:
        ids = connection.scalars(select(Project.id).order_by(Project.id)).all()
        return tuple(read_project(connection, project) for project in ids)


def add_guideline(
    store: Store, project: int, text: str, *, based_on: int | None = None, person: int | None = None
) -> int:
    """Store the next version of a project's guideline and tell its number; what is annotated from now on names it.

    Raises:
        DataError: there is no such project, or a version newer than the one that the writer saw (`based_on`; 0:
            there was none; None: whatever there is).
    """
    with store.write() as write:
        read_project(write.connection, project)
        latest = latest_guideline(write.connection, project) or 0
        if based_on is not None and based_on != latest:
            hint = "Nothing was stored. Read that one, and put your changes into it."
            raise DataError(f"somebody stored version {latest} meanwhile; yours is of version {based_on}", hint=hint)
        change = Change("guideline added", project, person, {"version": latest + 1})
        change.add(Guideline, id=write.next_id(Guideline.id), project=project, version=latest + 1, text=text)
        record(write, change)
    return latest + 1


def latest_guideline(connection: Connection, project: int) -> int | None:
    """The version that holds now; None where there is no guideline."""
    return connection.scalar(_latest_guideline(), {"project": project})


@cache
def _latest_guideline() -> Select[int]:
    return select(func.max(Guideline.version)).where(Guideline.project == bindparam("project"))


def read_guideline(store: Store, project: int, version: int | None = None) -> str | None:
    """The text of a version (default: the latest); None where there is none."""
    query = select(Guideline.text).where(Guideline.project == project).order_by(Guideline.version.desc()).limit(1)
    with store.read() as connection:
        return connection.scalar(query if version is None else query.where(Guideline.version == version))


def list_guidelines(store: Store, project: int) -> tuple[GuidelineVersion, ...]:
    """The versions of a project's guideline, the newest first."""
    query = (
        select(Guideline.version, Guideline.text, Event.at_ms, Person.name.label("author"))
        .join(Event, Event.number == Guideline.event)
        .outerjoin(Person, Person.id == Event.person)
        .where(Guideline.project == project)
        .order_by(Guideline.version.desc())
    )
    with store.read() as connection:
        return tuple(GuidelineVersion.model_validate(dict(row)) for row in connection.execute(query).mappings())
