"""Which earlier answers of a conversation are trained with it, where the family trains them at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from instructglm.core.records import Example, Message


class EarlierAnswers:
    """Every answer is trained once.

    Data may hold one conversation several times: once for each of its answers,
    or with several ways to go on. Where a prompt is an example of its own, that
    example's outputs are the accepted ones and alone are trained; any other
    answer is trained in the first conversation that is kept.
    """

    def __init__(self, examples: Iterable[Example]) -> None:
        self._asked = {example.messages for example in examples}
        self._trained: set[tuple[Message, ...]] = set()

    def trained_elsewhere(self, messages: Sequence[Message]) -> frozenset[int]:
        """The places in `messages` of earlier answers that are not to be trained here again."""
        turns = tuple(messages)
        return frozenset(
            place for place in _places(turns) if turns[:place] in self._asked or turns[: place + 1] in self._trained
        )

    def note(self, messages: Sequence[Message]) -> None:
        """Remember that a conversation is kept, with its earlier answers trained."""
        turns = tuple(messages)
        self._trained.update(turns[: place + 1] for place in _places(turns))


def _places(turns: Sequence[Message]) -> list[int]:
    return [place for place, turn in enumerate(turns) if turn.role == "assistant"]
