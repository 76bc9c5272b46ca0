"""Reading the fields of one row, and remembering all that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from instructglm.config.data import RowSource
from instructglm.core.ledger import LedgerEntry
from instructglm.core.lookup import nearest
from instructglm.core.records import Example, Fault, Message, Output, Split, example_id, prompt_hash
from instructglm.data.formats.format import Result
from instructglm.data.formats.outputs import read_outputs
from instructglm.data.prompts import framed
from instructglm.data.records import EmptyRow, Row, describe, name_list

_SMALL = 200  # characters; metadata is for labels and ids, not for texts

SPLITS = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "validation": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "val": Split.VALIDATION,
    "dev": Split.VALIDATION,
    "test": Split.TEST,
}


class Fields:
    """The fields of one row, taken by name. What is wrong is noted and comes out of `result`, all of it at once."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._used: set[str] = set()
        self._faults: list[Fault] = []
        self._empty: list[EmptyRow] = []

    def get(self, name: str) -> Any:
        """The raw value, None where it is missing; the caller checks it."""
        self._used.add(name)
        return self._row.value.get(name)

    def fault(self, field: str, value: Any, expected: str) -> None:
        """Note that `value` is not what this field should hold."""
        self.fault_found(field, describe(value), expected)

    def fault_found(self, field: str, found: str, expected: str) -> None:
        """Like `fault`, in the caller's own words."""
        self._faults.append(Fault(row=self._row.place, field=field, found=found, expected=expected))

    def empty(self, field: str) -> None:
        """Note that there is nothing to learn in this field."""
        self._empty.append(EmptyRow(self._row.place, field))

    def text(self, name: str) -> str:
        """A text that has to be there."""
        value = self.get(name)
        if isinstance(value, str):
            return value
        self._fault_of_needed(name, value, "text")
        return ""

    def optional_text(self, name: str) -> str:
        """A text, empty where it is missing or null."""
        value = self.get(name)
        if value is None or isinstance(value, str):
            return value or ""
        self.fault(name, value, "text, or nothing")
        return ""

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, empty where it is missing, null or blank."""
        value = self.get(name)
        if value is None or value == "":
            return ()
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self.fault(name, value, "a list of texts")
        return ()

    def split(self, name: str) -> Split | None:
        """The split that the row names itself, if it does."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, str) and value.lower() in SPLITS:
            return SPLITS[value.lower()]
        self.fault(name, value, f"one of {', '.join(SPLITS)}")
        return None

    def outputs(self, name: str) -> tuple[Output, ...]:
        """One or several outputs: a text, a list of texts, or objects with text, weight or rating, annotator."""
        value = self.get(name)
        if value is None:
            self._fault_of_needed(name, value, "text, or a list of texts")
            return ()
        found = list(read_outputs(value, name, self))
        good = tuple(output for _, output in found if output.text.strip())
        if good:
            for field, output in found:
                if not output.text.strip():
                    self.empty(field)
        return good

    def result(
        self,
        source: RowSource,
        task: str,
        turns: Sequence[Message],
        outputs: Sequence[Output],
        *,
        prompt_field: str,
        output_field: str,
        split: Split | None = None,
        choices: tuple[str, ...] = (),
        metadata: Mapping[str, JsonValue] | None = None,
    ) -> Iterator[Result]:
        """The row's faults if it has any; otherwise what is empty in it, and its example."""
        if self._faults:
            yield from self._faults
            return
        if not turns or not turns[-1].content.strip():
            yield EmptyRow(self._row.place, prompt_field)
            return
        if not outputs:
            yield EmptyRow(self._row.place, output_field)
            return
        yield from self._empty
        yield from self._untrained(turns, task)
        messages = framed(turns, source.instruction, source.system)
        yield Example(
            id=example_id(task, messages),
            task=task,
            messages=messages,
            outputs=tuple(outputs),
            choices=choices,
            group=prompt_hash(messages),
            split=split,
            row=self._row.place,
            metadata={**self._left_over(), **(metadata or {})},
        )

    def _untrained(self, turns: Sequence[Message], task: str) -> Iterator[LedgerEntry]:
        """Earlier answers of a conversation are context; two families train them too, as their official code does."""
        number = sum(turn.role == "assistant" for turn in turns)
        if number:
            detail = f"{number} earlier answers are context; only ChatGLM3 and GLM-4 train them too"
            yield LedgerEntry(row=self._row.place, reason="unused", detail=detail, action="cut", task=task)

    def _fault_of_needed(self, name: str, value: Any, expected: str) -> None:
        if name in self._row.value:
            self.fault(name, value, expected)
            return
        keys = [key for key in self._row.value if key not in self._used]
        close = nearest(name, keys)
        guess = f" (is {close!r} meant?)" if close else ""
        self.fault_found(name, f"no such key; the row has {name_list(self._row.value) or 'no keys'}{guess}", expected)

    def _left_over(self) -> dict[str, JsonValue]:
        """Small fields that nobody took, such as category, lang or id."""
        return {key: value for key, value in self._row.value.items() if key not in self._used and _is_small(value)}


def _is_small(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= 16 and all(not isinstance(item, list) and _is_small(item) for item in value)
    if isinstance(value, str):
        return 0 < len(value) <= _SMALL
    return isinstance(value, bool | int | float)
