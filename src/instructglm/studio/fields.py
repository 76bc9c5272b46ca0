"""What a form or an address sent, field by field, with what is wrong beside each."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import ImmutableMultiDict

LONGEST_TEXT = 200
"""Characters of a name or a reason."""


class Fields:
    """Texts by name; a file, or a name that was not sent, counts as nothing.

    `faults` collects what is wrong: the field, and the key of the words that
    say so with their figures.
    """

    def __init__(self, sent: ImmutableMultiDict[str, Any]) -> None:
        self._sent = sent
        self.faults: dict[str, tuple[str, dict[str, object]]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._sent

    def texts(self, name: str) -> list[str]:
        return [value if isinstance(value, str) else "" for value in self._sent.getlist(name)]

    def text(self, name: str, default: str = "") -> str:
        return next(iter(self.texts(name)), default)

    def flag(self, name: str) -> bool:
        return self.text(name) not in ("", "0")

    def wrong(self, field: str, key: str, **figures: object) -> None:
        self.faults.setdefault(field, (key, figures))

    def short(self, name: str, *, needed: bool = True, longest: int = LONGEST_TEXT) -> str:
        """A text of one line; blanks around it do not count."""
        text = self.text(name).strip()
        if needed and not text:
            self.wrong(name, "fault.empty")
        if len(text) > longest:
            self.wrong(name, "fault.long", most=longest)
        return text

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """A number from `low` to `high`; `default` where nothing was written. What is wrong counts as `low`."""
        return self.number_of(name, self.text(name), low, high, default)

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """The same, for whole numbers."""
        found = self.number(name, low, high, default)
        if found != int(found):
            self.wrong(name, "fault.whole")
        return int(found)

    def number_of(self, field: str, text: str, low: float, high: float, default: float | None = None) -> float:
        """What a text says, which stands in `field`."""
        text = text.strip()
        if not text and default is not None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not isfinite(value) or not low <= value <= high:
            self.wrong(field, "fault.number", low=f"{low:g}", high=f"{high:g}")
            return low
        return value


async def _form(request: Request) -> Fields:
    return Fields(await request.form())


def _query(request: Request) -> Fields:
    return Fields(request.query_params)


Sent = Annotated[Fields, Depends(_form)]
Asked = Annotated[Fields, Depends(_query)]
