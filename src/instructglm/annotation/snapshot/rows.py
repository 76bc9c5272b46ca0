"""What a snapshot's files hold: examples to train on, and preferences."""

from __future__ import annotations

import re

from pydantic import JsonValue

from instructglm.annotation.snapshot.figures import pseudonym
from instructglm.annotation.snapshot.items import Accepted, Item, Outcome
from instructglm.annotation.snapshot.preferences import Pair, Preference
from instructglm.annotation.snapshot.state import State
from instructglm.core.records import Example, Message, Output, example_id, prompt_hash

_TOLD = ("domain", "complexity", "language", "source", "licence")


def as_name(text: str) -> str:
    """A text as a name of files and tasks: blanks and the like replaced by hyphens.

    >>> as_name("law: first try")
    'law-first-try'
    """
    return re.sub(r"[^\w.-]+", "-", text).strip("-.") or "project"


def example_of(state: State, item: Item, outcome: Outcome) -> Example:
    """An instruction that is in, with its accepted answers. Whose they are, is told under a pseudonym."""
    messages, task = _messages(item), _task(state, item)
    return Example(
        id=example_id(task, messages),
        task=task,
        messages=messages,
        outputs=tuple(_output(state, one) for one in outcome.accepted),
        choices=tuple(item.instruction.choices),
        group=prompt_hash(messages),
        row=_row(state, item),
        metadata=_metadata(item, outcome),
    )


def _output(state: State, one: Accepted) -> Output:
    writer = None if one.person is None else pseudonym(state.salt, one.person)
    return Output(text=one.text, weight=one.weight, annotator=writer, ratings=one.ratings)


def _metadata(item: Item, outcome: Outcome) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {name: getattr(item.instruction, name) for name in _TOLD}
    told |= {"extra": item.instruction.extra}
    held = {name: value for name, value in told.items() if value}
    if outcome.confidence is not None:
        held["confidence"] = outcome.confidence
    origins: list[JsonValue] = [one.origin for one in outcome.accepted]
    return {
        **held,
        "decided_by": outcome.decided_by,
        "num_annotators": len(item.voices.people),
        "origins": origins,
    }


def preference_of(state: State, item: Item, pair: Pair) -> Preference:
    """Two outputs of an instruction, in words."""
    texts = {one.id: one.text for one in item.outputs}
    chosen, rejected = ((Message(role="assistant", content=texts[output]),) for output in (pair.chosen, pair.rejected))
    messages, task = _messages(item), _task(state, item)
    wins, losses, ties = pair.counts
    return Preference(
        id=example_id(task, messages),
        task=task,
        prompt=messages,
        chosen=chosen,
        rejected=rejected,
        margin=pair.margin,
        by=pair.by,
        num_prefer_chosen=wins,
        num_prefer_rejected=losses,
        num_undecided=ties,
        row=_row(state, item),
    )


def _messages(item: Item) -> tuple[Message, ...]:
    return tuple(Message.model_validate(message) for message in item.instruction.messages)


def _task(state: State, item: Item) -> str:
    return as_name(item.instruction.task or state.name)


def _row(state: State, item: Item) -> str:
    """Where it stands in the store: the project, and the instruction's number."""
    return f"{state.name}:{item.instruction.id}"
