"""`chat`: talk to a run."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

if TYPE_CHECKING:
    from instructglm.core.records import Message


class Speaker(Protocol):
    """Whatever answers a conversation piece by piece."""

    def stream(self, messages: Sequence[Message], max_new_tokens: int) -> Iterator[str]: ...


def chat(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False, help="The folder of a run (its --out).")],
    base: Annotated[bool, typer.Option("--base", help="Talk to the original model instead of the tuned one.")] = False,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Length limit of one answer.")] = 256,
) -> None:
    """Talk to the tuned model.

    It remembers the conversation: /reset forgets it, /quit or end of file ends it.

    Example: instructglm chat runs/my-experiment
    """
    _require_run(folder)
    from instructglm.serving.chat import open_chat

    converse(open_chat(folder, base=base), _lines(), max_new_tokens)


def converse(speaker: Speaker, lines: Iterable[str], max_new_tokens: int) -> None:
    """Answer each line on standard output as the answer comes, until `/quit` or the last line."""
    from instructglm.core.errors import RunError
    from instructglm.core.records import Message

    messages: list[Message] = []
    for line in map(str.strip, lines):
        if line == "/quit":
            return
        if line == "/reset":
            messages.clear()
            print("(forgotten)", flush=True)
        elif line:
            asked = Message(role="user", content=line)
            try:
                answer = _say(speaker.stream((*messages, asked), max_new_tokens))
            except RunError as error:  # such as a conversation that is too long: it can go on after /reset
                print(error, file=sys.stderr, flush=True)
                continue
            messages += [asked, Message(role="assistant", content=answer)]


def _say(pieces: Iterable[str]) -> str:
    answer = ""
    for piece in pieces:
        print(piece, end="", flush=True)
        answer += piece
    print(flush=True)
    if not answer.strip():
        print("(an empty answer)", file=sys.stderr, flush=True)
    return answer


def _lines() -> Iterator[str]:
    """Lines from a terminal, behind a prompt, or from a pipe."""
    while True:
        if sys.stdin.isatty():
            print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        yield line


def _require_run(folder: Path) -> None:
    from instructglm.core.errors import RunError

    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder", hint="Give the --out folder of a run; `instructglm run` makes one.")
