"""What a person says of one item, and the rows that hold it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple, Self

from pydantic import Field, model_validator
from sqlalchemy import Connection, select

from instructglm.annotation.store.tables import Annotation, Kind, Output
from instructglm.annotation.store.tables.base import LARGEST_ID
from instructglm.core.ids import canonical_json
from instructglm.core.records import Record

OutputId = Annotated[int, Field(ge=0, le=LARGEST_ID)]


class Edit(Record):
    """An output changed into a better one. Both are kept."""

    output: OutputId
    text: str = Field(min_length=1)


class OutputRating(Record):
    """How good an output is, by one criterion of the project."""

    output: OutputId
    criterion: str
    value: float = Field(allow_inf_nan=False)


class OutputRank(Record):
    """The place of an output among its siblings: 1 is best, equal ranks are ties."""

    output: OutputId
    rank: int = Field(ge=1, le=1_000_000)


class Rejection(Record):
    """An output that must not be used, or the instruction itself (`output` None), and why."""

    reason: str = Field(min_length=1)
    output: OutputId | None = None


class Answer(Record):
    """All that a person says of one item in one save. A `skip` (its reason, which may be empty) gives the item back."""

    written: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    ratings: tuple[OutputRating, ...] = ()
    ranks: tuple[OutputRank, ...] = ()
    label: str | None = None
    rejected: tuple[Rejection, ...] = ()
    flag: str | None = None
    comment: str | None = None
    skip: str | None = None

    @model_validator(mode="after")
    def _says_something_once(self) -> Self:
        judged = bool(self.written or self.edits or self.ratings or self.ranks or self.rejected or self.label)
        if self.skip is not None and judged:
            raise ValueError("an item is skipped or answered, not both")
        if self.skip is None and not judged and self.flag is None and self.comment is None:
            raise ValueError("nothing is said")
        if not all(self.written):
            raise ValueError("a written output is empty")
        for name, keys in self._judged().items():
            if len(set(keys)) < len(keys):
                raise ValueError(f"{name}: one output is judged twice")
        return self

    @model_validator(mode="after")
    def _is_text(self) -> Self:
        try:
            self.spelled().encode()
        except ValueError as error:
            raise ValueError("half a character (an unpaired surrogate)") from error
        return self

    def _judged(self) -> Mapping[str, list[Any]]:
        return {
            "edits": [one.output for one in self.edits],
            "ratings": [(one.output, one.criterion) for one in self.ratings],
            "ranks": [one.output for one in self.ranks],
            "rejected": [one.output for one in self.rejected],
            "written": list(self.written),
        }

    @property
    def judged(self) -> set[int]:
        """The ids of the outputs that are rated, ranked or rejected."""
        given = {one.output for one in self.ratings} | {one.output for one in self.ranks}
        return given | {one.output for one in self.rejected if one.output is not None}

    @property
    def outputs(self) -> set[int]:
        """The ids of all outputs that are judged or edited."""
        return self.judged | {one.output for one in self.edits}

    def spelled(self) -> str:
        """One text for one answer."""
        return canonical_json(self.model_dump(mode="json"))


class NewText(NamedTuple):
    """An output that an answer brings: written anew, or edited from another."""

    text: str
    edited_from: int | None

    @property
    def kind(self) -> Kind:
        return Kind.WRITE if self.edited_from is None else Kind.EDIT


def new_texts(answer: Answer) -> list[NewText]:
    """The outputs that an answer brings, in its order."""
    return [*(NewText(text, None) for text in answer.written), *(NewText(one.text, one.output) for one in answer.edits)]


def annotation_rows(answer: Answer, outputs: Mapping[NewText, int]) -> Iterator[dict[str, Any]]:
    """The columns of every annotation in an answer; `outputs` are the ids of its new texts. Inverse: `read_answer`."""
    for new in new_texts(answer):
        yield _row(new.kind, output=outputs[new])
    for rating in answer.ratings:
        yield _row(Kind.RATING, output=rating.output, criterion=rating.criterion, value=float(rating.value))
    for rank in answer.ranks:
        yield _row(Kind.RANK, output=rank.output, value=float(rank.rank))
    for rejection in answer.rejected:
        yield _row(Kind.REJECT, output=rejection.output, text=rejection.reason)
    said = {Kind.LABEL: answer.label, Kind.FLAG: answer.flag, Kind.COMMENT: answer.comment, Kind.SKIP: answer.skip}
    yield from (_row(kind, text=text) for kind, text in said.items() if text is not None)


def _row(
    kind: Kind, *, output: int | None = None, criterion: str = "", value: float | None = None, text: str | None = None
) -> dict[str, Any]:
    return {"kind": str(kind), "output": output, "criterion": criterion, "value": value, "text": text}


def read_answer(connection: Connection, submission: int) -> Answer:
    """An answer as it was saved."""
    columns = (Annotation.kind, Annotation.output, Annotation.criterion, Annotation.value, Annotation.text)
    query = (
        select(*columns, Output.text.label("written"), Output.edited_from)
        .outerjoin(Output, Output.id == Annotation.output)
        .where(Annotation.submission == submission)
        .order_by(Annotation.id)
    )
    held: dict[str, Any] = {"written": [], "edits": [], "ratings": [], "ranks": [], "rejected": []}
    for row in connection.execute(query):
        if row.kind == Kind.WRITE:
            held["written"].append(row.written)
        elif row.kind == Kind.EDIT:
            held["edits"].append({"output": row.edited_from, "text": row.written})
        elif row.kind == Kind.RATING:
            held["ratings"].append({"output": row.output, "criterion": row.criterion, "value": row.value})
        elif row.kind == Kind.RANK:
            held["ranks"].append({"output": row.output, "rank": int(row.value)})
        elif row.kind == Kind.REJECT:
            held["rejected"].append({"output": row.output, "reason": row.text})
        else:
            held[row.kind] = row.text
    return Answer.model_validate(held)
