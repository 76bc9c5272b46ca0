"""Telling what is happening and how long it will take.

    with progress.stage("train", total=120, unit="step") as bar:
        bar.advance(loss=1.23, tokens_per_s=812)
    progress.say("datasets/mood-3f9c is up to date: skipped")

On a terminal this is a bar; in a pipe or a log it is a plain line now and then.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichBars
    from rich.progress import TaskID

_EVERY_S = 10.0  # between two plain lines


class Bar(Protocol):
    """How far one stage has come."""

    def advance(self, amount: int = 1, **figures: float) -> None:
        """`amount` more is done; `figures` are shown beside it (`loss`, `tokens_per_s`)."""


class Progress(Protocol):
    """Where stages report to."""

    def say(self, text: str) -> None:
        """One line that stays."""

    def stage(
        self, name: str, *, total: int | None = None, unit: str = "item", done: int = 0
    ) -> AbstractContextManager[Bar]:
        """A stage of `total` units (None: not known), of which `done` were finished by an earlier run."""


def console_progress(stream: TextIO | None = None) -> Progress:
    """Progress on `stream` (default: stderr): a live bar on a terminal, otherwise plain lines."""
    stream = stream or sys.stderr
    can_redraw = stream.isatty() and os.environ.get("TERM") != "dumb"
    return TerminalProgress(stream) if can_redraw else PlainProgress(stream)


class SilentProgress:
    """Says nothing."""

    def say(self, text: str) -> None:
        """Nothing is said."""

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: str = "item", done: int = 0) -> Iterator[Bar]:
        yield Count(name, total, unit, done)


@dataclass
class Count:
    """A bar that only counts; the other bars draw what it holds."""

    name: str
    total: int | None
    unit: str
    done: int = 0
    clock: Callable[[], float] = time.monotonic
    figures: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._started_at = self.clock()
        self._done_before = self.done

    def advance(self, amount: int = 1, **figures: float) -> None:
        self.done += amount
        self.figures.update(figures)

    @property
    def elapsed_s(self) -> float:
        return self.clock() - self._started_at

    @property
    def left_s(self) -> float | None:
        """Seconds to go at the pace so far; None while there is nothing to judge by."""
        new = self.done - self._done_before
        return None if self.total is None or new <= 0 else max(self.total - self.done, 0) * self.elapsed_s / new

    def __str__(self) -> str:
        of = "" if self.total is None else f"/{self.total}"
        left = [] if self.left_s is None else [f"{duration(self.left_s)} left"]
        return _line(self.name, f"{self.done}{of} {plural(self.unit)}", *shown(self.figures), *left)

    def summary(self, finished: bool) -> str:
        """The line that stays when the stage is over."""
        if not finished:
            of = "" if self.total is None else f" of {self.total}"
            return _line(self.name, f"stopped after {self.done}{of} {plural(self.unit)}")
        unit = self.unit if self.done == 1 else plural(self.unit)
        return _line(self.name, f"{self.done} {unit} in {duration(self.elapsed_s)}", *shown(self.figures))


def _line(name: str, *parts: str) -> str:
    return f"{name}: {' · '.join(parts)}"


class PlainProgress:
    """A line when a stage starts to take time, then one every ten seconds, and one at its end."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: str = "item", done: int = 0) -> Iterator[Bar]:
        bar = _PlainBar(Count(name, total, unit, done, self._clock), self.say)
        with _summary(bar.count, self.say):
            yield bar


class _PlainBar:
    def __init__(self, count: Count, say: Callable[[str], None]) -> None:
        self.count = count
        self._say = say
        self._said_at_s = 0.0

    def advance(self, amount: int = 1, **figures: float) -> None:
        self.count.advance(amount, **figures)
        if self.count.elapsed_s - self._said_at_s >= _EVERY_S and self.count.done != self.count.total:
            self._said_at_s = self.count.elapsed_s
            self._say(str(self.count))


class TerminalProgress:
    """Live bars, with stages inside stages; each leaves one line behind."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False)
        self._bars: RichBars | None = None

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: str = "item", done: int = 0) -> Iterator[Bar]:
        count = Count(name, total, unit, done)
        with _summary(count, self.say), self._live() as bars:
            task = bars.add_task(name, total=total, completed=done, figures="")
            try:
                yield _TerminalBar(count, bars, task)
            finally:
                bars.remove_task(task)

    @contextmanager
    def _live(self) -> Iterator[RichBars]:
        if self._bars is not None:
            yield self._bars
            return
        with _rich_bars(self._console) as self._bars:
            try:
                yield self._bars
            finally:
                self._bars = None


class _TerminalBar:
    def __init__(self, count: Count, bars: RichBars, task: TaskID) -> None:
        self._count = count
        self._bars = bars
        self._task = task

    def advance(self, amount: int = 1, **figures: float) -> None:
        self._count.advance(amount, **figures)
        beside = " · ".join([plural(self._count.unit), *shown(self._count.figures)])
        self._bars.update(self._task, advance=amount, figures=beside)


@contextmanager
def _summary(count: Count, say: Callable[[str], None]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        say(count.summary(finished=False))
        raise
    say(count.summary(finished=True))


def _rich_bars(console: Console) -> RichBars:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
    ]
    return Bars(*columns, TimeRemainingColumn(compact=True), console=console, transient=True)


def shown(figures: dict[str, float]) -> list[str]:
    """Figures as one reads them: `loss 1.23`, `812 tokens/s`.

    >>> shown({"loss": 1.2345, "tokens_per_s": 812.4})
    ['loss 1.234', '812 tokens/s']
    """
    return [
        f"{value:,.0f} {name.removesuffix('_per_s')}/s" if name.endswith("_per_s") else f"{name} {value:.4g}"
        for name, value in figures.items()
    ]


def duration(seconds: float) -> str:
    """Minutes and seconds, hours where there are any.

    >>> duration(187), duration(3_700)
    ('3:07', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def plural(unit: str) -> str:
    """The plural of a unit's name.

    >>> plural("step"), plural("batch")
    ('steps', 'batches')
    """
    return f"{unit}es" if unit.endswith(("s", "x", "ch", "sh")) else f"{unit}s"
