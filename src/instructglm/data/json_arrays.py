"""One JSON array of rows, read element by element with one element in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from instructglm.core.errors import DataError
from instructglm.core.records import Fault
from instructglm.data.json_values import DECODER, breaks_off, row_or_fault
from instructglm.data.records import Row
from instructglm.data.text_files import MAX_ROW_BYTES

_CHUNK = 2**18  # characters
_BLANKS = " \t\r\n"


def read_array(path: Path, shown: str, encoding: str) -> Iterator[Row | Fault]:
    """Rows of an array. `place` is the line where a row begins; its index where the array is written without line ends.

    Raises:
        DataError: the array breaks off or is malformed; what follows cannot be told apart, so reading stops there.
    """
    with path.open(encoding=encoding, newline="") as file:
        yield from _Array(file, shown).rows()


class _Array:
    """A window onto the file that begins at the element in hand."""

    def __init__(self, file: TextIO, shown: str) -> None:
        self._file = file
        self._shown = shown
        self._window = ""
        self._at = 0
        self._line = 1  # of the window's first character
        self._column = 1
        self._num_rows = 0
        self._last_place = ""

    def rows(self) -> Iterator[Row | Fault]:
        assert self._next() == "[", "the caller looked"
        self._at += 1
        after = self._window[self._at : self._at + 8].lstrip(" \t\r")
        by_line = after.startswith("\n")
        previous_line = 0
        separator = "" if self._next() == "]" else ","
        while separator == ",":
            line = self._position()[0] if self._next() else 0
            place = self._place(line, previous_line) if by_line else f"{self._shown}[{self._num_rows}]"
            start, value = self._value()
            yield row_or_fault(place, value, self._window[start : self._at])
            previous_line, self._last_place = line, place
            self._num_rows += 1
            separator = self._separator()
        self._end()

    def _place(self, line: int, previous_line: int) -> str:
        same = f"[{self._num_rows}]" if line == previous_line else ""
        return f"{self._shown}:{line}{same}"

    def _separator(self) -> str:
        separator = self._next()
        if separator not in (",", "]") or not separator:
            raise self._broken("expected a comma or the array's end" if separator else "the array breaks off here")
        self._at += 1
        return separator

    def _end(self) -> None:
        if self._num_rows == 0:
            self._at += 1
        if self._next():
            line, column = self._position()
            raise DataError(
                f"{self._shown}:{line}:{column}: more text after the array's end",
                hint="Expected one array of objects, or one object a line; put all rows into one array.",
            )

    def _next(self) -> str:
        """The next character that is not blank, without taking it; empty at the file's end."""
        while True:
            while self._at < len(self._window) and self._window[self._at] in _BLANKS:
                self._at += 1
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._grow():
                return ""

    def _value(self) -> tuple[int, Any]:
        """Where the next element begins in the window, and the element."""
        self._drop_consumed()
        while True:
            try:
                value, end = DECODER.raw_decode(self._window, self._at)
            except json.JSONDecodeError as error:
                self._need_more(error)
            except (ValueError, RecursionError) as error:
                raise self._broken(f"JSON that cannot be read: {error}") from error
            else:
                # a bare number may go on in the next piece
                if end < len(self._window) or not self._grow():
                    start, self._at = self._at, end
                    return start, value

    def _need_more(self, error: json.JSONDecodeError) -> None:
        """Read on where the window ends too early; otherwise the array is broken, and where is said."""
        unfinished = breaks_off(error, self._window)
        if unfinished and len(self._window) > MAX_ROW_BYTES:
            raise self._broken(f"a row of more than {MAX_ROW_BYTES // 2**20} MiB begins here")
        if unfinished and self._grow():
            return
        if not unfinished:
            self._at = error.pos
            raise self._broken(f"wrong JSON: {error.msg}") from error
        self._at = len(self._window)
        raise self._broken("the array breaks off here") from error

    def _drop_consumed(self) -> None:
        self._line, self._column = self._position()
        self._window, self._at = self._window[self._at :], 0

    def _grow(self) -> bool:
        """Read on, doubling the window, so that one large element costs no quadratic time."""
        piece = self._file.read(max(_CHUNK, len(self._window) - self._at))
        self._window += piece
        return bool(piece)

    def _position(self) -> tuple[int, int]:
        """Line and column of the character in hand, both from 1."""
        num_newlines = self._window.count("\n", 0, self._at)
        if num_newlines == 0:
            return self._line, self._column + self._at
        return self._line + num_newlines, self._at - self._window.rfind("\n", 0, self._at)

    def _broken(self, what: str) -> DataError:
        line, column = self._position()
        last = f"the last whole row is {self._last_place}, number {self._num_rows}"
        return DataError(
            f"{self._shown}:{line}:{column}: {what}; {last if self._num_rows else 'no row before it is whole'}",
            hint="Was the file's download or export cut off? Copy it anew, or mend it there.",
        )
