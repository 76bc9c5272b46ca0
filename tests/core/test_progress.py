"""What is told on the way, and how often."""

import io
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.core.progress import (
    Count,
    PlainProgress,
    SilentProgress,
    TerminalProgress,
    console_progress,
    duration,
    plural,
    shown,
)


@pytest.fixture(autouse=True)
def capable_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def plain_run(steps_s: list[float], total: int | None = None) -> list[str]:
    clock, stream = Clock(), io.StringIO()
    with PlainProgress(stream, clock).stage("train", total=total, unit="step") as bar:
        for step_s in steps_s:
            clock.now_s += step_s
            bar.advance(loss=1.5)
    return stream.getvalue().splitlines()


@given(st.lists(st.floats(0, 30), max_size=40))
def test_plain_lines_are_ten_seconds_apart_and_one_ends_the_stage(steps_s: list[float]) -> None:
    lines = plain_run(steps_s, total=len(steps_s))
    assert len(lines) <= sum(steps_s) / 10 + 1
    assert lines[-1].startswith(f"train: {len(steps_s)} step")
    assert not any("left" in line for line in lines[-1:])


def test_a_slow_stage_is_told_with_its_pace_and_its_end() -> None:
    assert plain_run([6.0] * 4, total=4) == [
        "train: 2/4 steps · loss 1.5 · 0:12 left",
        "train: 4 steps in 0:24 · loss 1.5",
    ]


def test_without_a_total_there_is_no_time_left() -> None:
    assert plain_run([12.0]) == ["train: 1 steps · loss 1.5", "train: 1 step in 0:12 · loss 1.5"]


def test_the_pace_counts_only_what_this_run_did() -> None:
    clock = Clock()
    count = Count("train", 100, "step", 90, clock)
    assert count.left_s is None
    clock.now_s = 10.0
    count.advance(5)
    assert count.left_s == pytest.approx(10.0)
    assert str(count) == "train: 95/100 steps · 0:10 left"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_stage_that_fails_says_how_far_it_came(terminal: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    progress = console_progress(stream)
    with suppress(KeyboardInterrupt), progress.stage("evaluate", total=9, unit="item") as bar:
        bar.advance(3)
        raise KeyboardInterrupt
    assert "evaluate: stopped after 3 of 9 items" in stream.getvalue()


def test_the_stream_decides_between_bars_and_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(console_progress(Terminal()), TerminalProgress)
    assert isinstance(console_progress(io.StringIO()), PlainProgress)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(console_progress(Terminal()), PlainProgress)


def test_a_terminal_shows_bars_within_bars_and_keeps_one_line_each() -> None:
    stream = Terminal()
    progress = console_progress(stream)
    with progress.stage("train", total=2, unit="step") as outer:
        outer.advance(loss=2.0, tokens_per_s=1234)
        with progress.stage("validate", total=1, unit="batch") as inner:
            inner.advance()
        outer.advance()
    progress.say("[not markup] datasets/x is up to date: skipped")
    text = stream.getvalue()
    assert "1,234 tokens/s" in text
    assert "validate: 1 batch in 0:00" in text
    assert "train: 2 steps in 0:00 · loss 2 · 1,234 tokens/s" in text
    assert "[not markup] datasets/x is up to date: skipped" in text


def test_bars_can_follow_one_another() -> None:
    stream = Terminal()
    progress = console_progress(stream)
    for name in ("first", "second"):
        with progress.stage(name, total=1) as bar:
            bar.advance()
    assert "first: 1 item in" in stream.getvalue()
    assert "second: 1 item in" in stream.getvalue()


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    progress = SilentProgress()
    progress.say("nothing")
    with progress.stage("train", total=3) as bar:
        bar.advance(loss=1.0)
    assert capsys.readouterr() == ("", "")


@given(st.integers(0, 10**6))
def test_a_duration_can_be_read_back(seconds: int) -> None:
    value = 0
    for part in duration(seconds).split(":"):
        value = value * 60 + int(part)
    assert value == seconds


def test_words() -> None:
    assert [plural(unit) for unit in ("step", "batch", "box", "class")] == ["steps", "batches", "boxes", "classes"]
    assert shown({"loss": 0.00012346, "items_per_s": 12345.6}) == ["loss 0.0001235", "12,346 items/s"]


def test_rich_is_loaded_only_for_a_terminal() -> None:
    import subprocess
    import sys

    code = "import sys, instructglm.core.progress as p; p.console_progress(); sys.exit('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, cwd=Path(__file__).parent, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
