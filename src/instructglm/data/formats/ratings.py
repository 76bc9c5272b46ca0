"""Rated texts as examples with a closed set of answers; see `rating_tables` for the layouts that are read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from instructglm.annotation.aggregation import label_by_mean, mean_rating, standard_deviation
from instructglm.annotation.summary import RatedItem
from instructglm.config.data import RatingsSource
from instructglm.core.errors import ConfigError, DataError
from instructglm.core.ids import content_hash
from instructglm.core.ledger import LedgerEntry
from instructglm.core.records import Example, Fault, Message, Output, Rating, example_id, prompt_hash
from instructglm.data.formats.rating_tables import RatedText, Table, read_pair, read_table
from instructglm.data.prompts import framed
from instructglm.data.reading import task_of
from instructglm.data.records import EmptyRow
from instructglm.data.sources import expand


@dataclass(slots=True)
class RatedTexts:
    """What one `ratings` source holds.

    `rated` are all sound rows, also those in `ledger` whose raters are split:
    agreement is measured on them all.
    """

    tables: list[Table]
    task: str
    num_rows: int = 0
    examples: list[Example] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    empty: list[EmptyRow] = field(default_factory=list)
    ledger: list[LedgerEntry] = field(default_factory=list)
    rated: list[RatedItem] = field(default_factory=list)


def read_ratings(source: RatingsSource, base: Path) -> RatedTexts:
    """Read the table or tables of one source; relative paths start at `base`.

    Raises:
        DataError: a file as a whole cannot be read, or a path names several.
        ConfigError: `document_id` is not a regular expression with a group.
    """
    ratings, texts = _one_table(source.path, base), _one_table(source.texts, base)
    together = ratings == texts
    task = source.task or task_of(ratings.shown)
    read = RatedTexts(tables=[ratings] if together else [ratings, texts], task=task)
    maker = _Maker(source, task, [table.path.name for table in read.tables], _document_pattern(source))
    _collect(read, read_table(ratings) if together else read_pair(ratings, texts), maker)
    return read


def _one_table(path: str | list[str], base: Path) -> Table:
    tables = [Table(file, shown) for file, shown in expand(path, base)]
    if len(tables) != 1:
        raise DataError(
            f"{path}: found {len(tables)} files; expected one table of ratings, or of texts",
            hint="Write one source for each pair of tables.",
        )
    return tables[0]


def _document_pattern(source: RatingsSource) -> re.Pattern[str] | None:
    if source.document_id is None:
        return None
    try:
        pattern = re.compile(source.document_id)
    except re.error as error:
        raise ConfigError(f"document_id: {source.document_id!r} is not a regular expression: {error}") from error
    if not pattern.groups:
        raise ConfigError(
            f"document_id: {source.document_id!r} has no group",
            hint=r"Put what names the document in parentheses, as in ^(\d+)_",
        )
    return pattern


def _collect(read: RatedTexts, rows: Iterable[RatedText | Fault], maker: _Maker) -> None:
    for row in rows:
        read.num_rows += 1
        if isinstance(row, Fault):
            read.faults.append(row)
        elif not row.text:
            read.empty.append(EmptyRow(row.place, "text"))
        else:
            _collect_rated(read, row, maker)


def _collect_rated(read: RatedTexts, row: RatedText, maker: _Maker) -> None:
    label = label_by_mean(row.ratings, maker.source.labels)
    if label is None:
        detail = f"mean {mean_rating(row.ratings):.3f} of {len(row.ratings)} ratings falls between the labels"
        read.ledger.append(LedgerEntry(row=row.place, reason="raters_split", detail=detail, task=read.task))
        read.rated.append(RatedItem(row=row.place, text=row.text, ratings=row.ratings, outcome=f"left out: {detail}"))
        return
    result = maker.example(row, label)
    if isinstance(result, Fault):
        read.faults.append(result)
        return
    read.examples.append(result)
    read.rated.append(RatedItem(row=row.place, text=row.text, ratings=row.ratings, outcome=label))


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the examples of one source. `files` are names without folders: moving the data moves no split."""

    source: RatingsSource
    task: str
    files: list[str]
    document: re.Pattern[str] | None

    def example(self, row: RatedText, label: str) -> Example | Fault:
        messages = framed([Message(role="user", content=row.text)], self.source.instruction, self.source.system)
        group = self._group(row, messages)
        if isinstance(group, Fault):
            return group
        mean, std = mean_rating(row.ratings), standard_deviation(row.ratings)
        return Example(
            id=example_id(self.task, messages),
            task=self.task,
            messages=messages,
            outputs=(Output(text=label),),
            choices=tuple(self.source.labels),
            group=group,
            row=row.place,
            ratings=_ratings(row),
            metadata={"item": row.item, "mean": mean, "std": std},
        )

    def _group(self, row: RatedText, messages: tuple[Message, ...]) -> str | Fault:
        """Name the document where ids do, else the prompt alone."""
        if self.document is None:
            return prompt_hash(messages)
        match = self.document.search(row.item)
        if match is None or match[1] is None:
            return Fault(
                row=row.place,
                field="id",
                found=f'"{row.item}"',
                expected=f"an id that document_id {self.document.pattern!r} finds a document in",
            )
        return content_hash("document", self.files, match[1])


def _ratings(row: RatedText) -> tuple[Rating, ...]:
    """Raters are anonymous and differ from item to item: `rater-03` is the third in this row, not a person."""
    return tuple(Rating(annotator=f"rater-{n:02d}", value=value) for n, value in enumerate(row.ratings, start=1))
