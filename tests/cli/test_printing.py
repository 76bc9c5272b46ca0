"""What commands print: tables, results, previews, conversations."""

import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from instructglm.cli.chat import _lines, converse
from instructglm.cli.previews import marked, problems, show_preview
from instructglm.cli.results import show_report
from instructglm.cli.tables import table
from instructglm.core.errors import RunError
from instructglm.core.records import ComparisonRow, Message, MetricRow
from instructglm.data.preview import Preview
from instructglm.report.contents import DataCard, Environment, Report
from instructglm.report.files import write_report

WORDS = st.text(st.sampled_from("ab中文é "), max_size=8)

# Tables


@given(st.lists(st.tuples(WORDS, st.integers()), max_size=5))
def test_columns_begin_under_their_heads(rows: list[tuple[str, int]]) -> None:
    lines = table(["|word", "|number"], [(f"|{word}", f"|{number}") for word, number in rows]).splitlines()
    assert len(lines) == len(rows) + 1
    assert len({cell_len(line[: line.rindex("|")]) for line in lines}) == 1


# Previews


def preview(*tokens: tuple[str, bool], stop: bool = True) -> Preview:
    num_trained = sum(trained for _, trained in tokens)
    return Preview(row="a:1", tokens=tokens, num_tokens=len(tokens), num_trained=num_trained, stop_token_trained=stop)


@given(st.lists(st.tuples(st.text(st.sampled_from("abc中 \n"), min_size=1), st.booleans())))
def test_exactly_the_trained_tokens_are_marked(tokens: list[tuple[str, bool]]) -> None:
    text = marked(preview(*tokens), "⟦", "⟧")
    assert text.replace("⟦", "").replace("⟧", "") == "".join(piece for piece, _ in tokens)
    inside = "".join(part.partition("⟧")[0] for part in text.split("⟦")[1:])
    assert inside == "".join(piece for piece, trained in tokens if trained)


def test_a_preview_with_and_without_colour(capsys: pytest.CaptureFixture[str]) -> None:
    show_preview(preview(("Hi?", False), ("Yes.", True), ("<end>", True)), colour=False)
    assert capsys.readouterr().out == "── a:1: 2 of 3 tokens are trained\nHi?⟦Yes.<end>⟧\n\n"
    show_preview(preview(("Hi?", False), ("Yes.", True)), colour=True)
    assert "Hi?\033[30;42mYes.\033[0m" in capsys.readouterr().out


def test_a_preview_that_would_teach_the_wrong_thing_says_why() -> None:
    assert list(problems(preview(("a", False), ("b", True)))) == []
    assert "no token is trained" in next(problems(preview(("a", False), stop=False)))
    assert "stop token is not trained" in next(problems(preview(("a", True), stop=False)))


# Results


def report_beside(folder: Path) -> Path:
    """A real report of one task, on disk; the path of its page."""
    figures = {"low": 0.59, "high": 0.69, "n": 300}
    data = DataCard(name="mood", hash="0" * 12, sources=(), tasks=(), ledger_counts={}, ledger=())
    environment = Environment(
        command="instructglm run", seed=1, device="CPU", dtype="float32", num_threads=2, packages={}, python="3.11",
        platform="any", git_revision=None, model="embedded", experiment="name: mood", stage_seconds={},
    )  # fmt: skip
    return write_report(
        Report(
            title="Mood",
            headline=("tuned is better than base.",),
            metrics=tuple(
                MetricRow(model=model, task="mood", metric="accuracy", value=value, **figures)
                for model, value in (("base", 0.64), ("tuned", 0.885))
            ),
            comparisons=(
                ComparisonRow(
                    task="mood", metric="accuracy", a="base", b="tuned", difference=0.245, low=0.19, high=0.3,
                    p_value=0.0001, n=300,
                ),
            ),
            definitions={},
            confidence=0.95,
            data=data,
            training=None,
            confusions=(),
            samples=(),
            environment=environment,
        ),
        folder,
    )  # fmt: skip


def test_the_end_of_a_run_shows_the_figures_the_verdict_and_the_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = report_beside(tmp_path)
    show_report(page, as_json=False)
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1] == f"Report: {page}"
    assert "tuned is better than base." in shown.splitlines()
    for figure in ("64.0", "88.5", "24.5", "19.0", "30.0", "< 0.001"):
        assert figure in shown


def test_results_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = report_beside(tmp_path)
    show_report(page, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["report"], len(found["metrics"]), len(found["comparisons"])) == (str(page), 2, 1)


# Conversations


class Echo:
    """Answers with how many messages it was shown and the last of them."""

    def stream(self, messages: Sequence[Message], max_new_tokens: int) -> Iterator[str]:
        yield f"{len(messages)}:"
        yield messages[-1].content[:max_new_tokens]


def test_a_conversation_grows_until_it_is_reset(capsys: pytest.CaptureFixture[str]) -> None:
    converse(Echo(), ["hello\n", "\n", "more\n", "/reset\n", "again\n", "/quit\n", "never\n"], max_new_tokens=4)
    assert capsys.readouterr().out.splitlines() == ["1:hell", "3:more", "(forgotten)", "1:agai"]


class Full:
    """Refuses every second message."""

    def stream(self, messages: Sequence[Message], max_new_tokens: int) -> Iterator[str]:
        if messages[-1].content == "long":
            raise RunError("the conversation is too long", hint="Begin a new one with /reset.")
        yield f"{len(messages)}"


def test_a_conversation_that_is_too_long_can_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    converse(Full(), ["short\n", "long\n", "short\n"], max_new_tokens=4)
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["1", "3"]
    assert "Begin a new one with /reset." in printed.err


class Silent:
    """Ends every answer at once."""

    def stream(self, messages: Sequence[Message], max_new_tokens: int) -> Iterator[str]:
        yield ""


def test_an_empty_answer_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    converse(Silent(), ["hello\n"], max_new_tokens=4)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("\n", "(an empty answer)\n")


def test_a_pipe_is_read_to_its_end_without_a_prompt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo"))
    assert list(_lines()) == ["one\n", "two"]
    assert capsys.readouterr().err == ""


def test_chat_without_a_run_is_told_where_runs_come_from(cli: Any, tmp_path: Path) -> None:
    done = cli("chat", tmp_path / "nope")
    assert (done.code, done.err) == (
        2,
        f"Error: {tmp_path}/nope: no such folder\nGive the --out folder of a run; `instructglm run` makes one.\n",
    )
