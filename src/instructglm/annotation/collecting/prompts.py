"""The text of an instruction, as it is compared and measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from instructglm.annotation.queue.tasks import instruction_in_use
from instructglm.annotation.store.tables import Instruction

_AT_ONCE = 500  # ids a query
_STREAMED = 1_000  # rows in memory


def prompt_text(messages: Iterable[Mapping[str, Any]]) -> str:
    """What the user says; a system message, which many instructions share, would make them all alike."""
    return "\n\n".join(str(message["content"]) for message in messages if message["role"] == "user")


def texts_of(connection: Connection, instructions: Sequence[int]) -> dict[int, str]:
    """The texts of these instructions; those that were withdrawn are left out."""
    found: dict[int, str] = {}
    for start in range(0, len(instructions), _AT_ONCE):
        wanted = Instruction.id.in_(instructions[start : start + _AT_ONCE])
        query = select(Instruction.id, Instruction.messages).where(wanted, instruction_in_use(Instruction.id))
        found |= {row.id: prompt_text(row.messages) for row in connection.execute(query)}
    return found


def stream_texts(connection: Connection, project: int, *, after: int = 0) -> Iterator[tuple[int, str]]:
    """Id and text of a project's instructions in use, in the order of their coming; only ids beyond `after`."""
    here = (Instruction.project == project, Instruction.id > after, instruction_in_use(Instruction.id))
    query = select(Instruction.id, Instruction.messages).where(*here).order_by(Instruction.id)
    for block in connection.execution_options(yield_per=_STREAMED).execute(query).partitions():
        yield from ((row.id, prompt_text(row.messages)) for row in block)
