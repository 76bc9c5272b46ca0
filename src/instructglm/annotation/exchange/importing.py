"""Taking files of any format into a project, in one transaction: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Literal, NamedTuple

from pydantic import Field

from instructglm.annotation.exchange.answering import Answering, Brought
from instructglm.annotation.exchange.entries import GuidelineText, Leftover, Read
from instructglm.annotation.exchange.format import Rows
from instructglm.annotation.exchange.formats import FORMATS
from instructglm.annotation.store.chain import record
from instructglm.annotation.store.importing import Imported, Prompts, content_change, refusal, row_counts
from instructglm.annotation.store.projects import read_project
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Instruction
from instructglm.core.errors import DataError
from instructglm.core.lookup import lookup
from instructglm.core.records import Fault

_LOOKED_AT = 20  # rows, to tell a format by


class Source(NamedTuple):
    """A file's name and its rows; `format` None: what they look like."""

    name: str
    rows: Rows
    format: str | None = None


class Taken(Imported):
    """What an import stored, of judgements too.

    `formats` are those of the files. Of the `num_answers` that are new, each
    went into one of the closed `rounds` (their numbers). `people` that were made
    have their names in the file and in the store. `leftovers` are what the store
    has no place for; `notes` what else to know.
    """

    formats: dict[str, str] = Field(default_factory=dict)
    num_answers: int = 0
    num_known_answers: int = 0
    rounds: tuple[int, ...] = ()
    people: dict[str, str] = Field(default_factory=dict)
    leftovers: tuple[Leftover, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class Found:
    """All that stands in the files."""

    prompts: Prompts = field(default_factory=Prompts)
    brought: list[Brought] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)
    formats: dict[str, str] = field(default_factory=dict)


def import_rows(
    store: Store,
    project: int,
    sources: Iterable[Source],
    *,
    faulty: Literal["refuse", "leave out"] = "refuse",
    person: int | None = None,
) -> Taken:
    """Store what files hold: instructions, outputs, and what their annotators said.

    Everything is read and checked before anything is written. People who are not
    known from an earlier import into this project are made as annotators who
    cannot sign in; what they said goes into closed rounds of its own. What is
    there already is not doubled.

    Args:
        store: where.
        project: into which.
        sources: the files, by name.
        faulty: whether a fault refuses all, or its record alone is left out.
        person: who imports.

    Raises:
        DataError: a file is in no known format or could be in several; or something is faulty and `faulty` is
            "refuse". Nothing was stored.
        ConfigError: a source names a format that is none.
    """
    found = read_sources(sources)
    if found.faults and faulty == "refuse":
        raise refusal(found.faults)
    with store.write() as write:
        info = read_project(write.connection, project)
        change, instructions = content_change(write, project, person, found.prompts)
        change.body = row_counts(change)
        if change.rows:
            record(write, change)
        added = {row["id"] for row in change.rows.get(Instruction, ())}
        answering = Answering(write, info, person, instructions, added)
        answering.take(found.brought)
    account = dict(found.prompts.imported(change, found.faults))
    account["num_outputs"] += answering.num_outputs
    return Taken(
        **account,
        formats=found.formats,
        num_answers=answering.num_new,
        num_known_answers=answering.num_known,
        rounds=tuple(answering.round_numbers),
        people=answering.people.made,
        leftovers=tuple(found.leftovers),
        notes=tuple(answering.notes),
    )


def read_sources(sources: Iterable[Source]) -> Found:
    """Read files whole, and store nothing."""
    found = Found()
    for source in sources:
        rows = iter(source.rows)
        head = list(islice(rows, _LOOKED_AT))
        name = source.format or detect([row[1] for row in head if not isinstance(row, Fault)], source.name)
        format = lookup("exchange format", name, FORMATS)
        found.formats[source.name] = format.name
        guidelines: dict[int, str] = {}
        for one in format.read(chain(head, rows)):
            _take(found, one, guidelines)
    return found


def _take(found: Found, one: Read, guidelines: dict[int, str]) -> None:
    if isinstance(one, Fault):
        found.faults.append(one)
    elif isinstance(one, Leftover):
        found.leftovers.append(one)
    elif isinstance(one, GuidelineText):
        guidelines[one.version] = one.text
    else:
        key = found.prompts.add(one.place, one.held)
        if one.outputs or one.answers:
            found.brought.append(Brought(key, one, guidelines))


def detect(values: Sequence[Any], shown: str) -> str:
    """The name of the one format that these rows look like.

    Raises:
        DataError: there is none, or several.
    """
    rows = [value for value in values if isinstance(value, Mapping)]
    votes = {name for row in rows for name in _formats_of(row)}
    if len(votes) == 1:
        return votes.pop()
    if not rows and values:
        raise DataError(f"{shown}: the rows are no objects with named fields", hint=_choices(FORMATS))
    if not values:
        return "alpaca"  # nothing but faults, which its reader hands on
    if not votes:
        keys = sorted({str(key) for row in rows for key in row})[:12]
        raise DataError(f"{shown}: no known layout: the rows have {', '.join(keys) or 'no keys'}", *_layouts())
    raise DataError(f"{shown}: could be {' or '.join(sorted(votes))}", hint=_choices(sorted(votes)))


def _formats_of(row: Mapping[str, Any]) -> Iterator[str]:
    """A row of a format that has all of a looser one's keys and more is the former's."""
    if FORMATS["csv"].looks_like(row):
        yield "csv"
        return
    yield from (name for name, format in FORMATS.items() if format.looks_like(row))


def _layouts() -> list[str]:
    return [f"  {format.name} has {format.keys}" for format in FORMATS.values()]


def _choices(names: Iterable[str]) -> str:
    return f"Say which with --format: {', '.join(names)}."
