"""How an instruction and its input become one user message: here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

from instructglm.core.records import Message


def user_text(instruction: str | None, given: str | None) -> str:
    r"""The instruction, a blank line and the input; a part that is missing or blank leaves no trace.

    >>> user_text("Translate.", "Good morning")
    'Translate.\n\nGood morning'
    >>> user_text("Tell a joke.", "")
    'Tell a joke.'
    """
    return "\n\n".join(part for part in (instruction, given) if part and part.strip())


def framed(turns: Sequence[Message], instruction: str | None, system: str | None) -> tuple[Message, ...]:
    """A conversation with its source's instruction before the first user turn and its source's system message.

    A system message that the row itself brings is kept in place of the source's.
    """
    own = [turn for turn in turns if turn.role == "system"]
    rest = [turn for turn in turns if turn.role != "system"]
    head = own or ([Message(role="system", content=system)] if system else [])
    if instruction and rest:
        rest[0] = Message(role=rest[0].role, content=user_text(instruction, rest[0].content))
    return (*head, *rest)
