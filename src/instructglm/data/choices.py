"""Closed sets of answers: finding them, and holding examples to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from instructglm.core.lookup import nearest
from instructglm.core.records import Example, Fault, example_id
from instructglm.data.records import describe, name_list

_MAX_CHOICES = 64
_MIN_EXAMPLES_PER_CHOICE = 8
_MAX_CHARACTERS = 60  # of a choice; a longer answer is a sentence
_SHARE_OF_LABELS = 0.98  # of examples whose answer is one short text

Wanted: TypeAlias = Sequence[str] | Literal["auto", "none"]
"""What a source says of its closed set of answers."""


def find_choices(examples: Iterable[Example]) -> tuple[str, ...]:
    """The closed set of answers of one task, sorted; empty where the task is open.

    A task counts as closed where at most 64 short answers each serve for eight
    examples on average, and nearly every example has exactly one. Examples that
    bring choices of their own are not counted: each has its own closed set.
    """
    undecided = [example for example in examples if not example.choices]
    answers = [tuple(reference.strip() for reference in example.references) for example in undecided]
    labels = {answer[0] for answer in answers if _is_label(answer)}
    num_labelled = sum(map(_is_label, answers))
    closed = (
        2 <= len(labels) <= _MAX_CHOICES
        and num_labelled >= _MIN_EXAMPLES_PER_CHOICE * len(labels)
        and num_labelled >= _SHARE_OF_LABELS * len(answers)
        and labels.issuperset(reference for answer in answers for reference in answer)
    )
    return tuple(sorted(labels)) if closed else ()


def apply_choices(examples: Sequence[Example], choices: Sequence[str]) -> list[Example | Fault]:
    """Each example with these choices, or a fault where one of its outputs is not among them.

    Outer blanks of an output do not count. An example with choices of its own
    keeps them, and is held to them. Without choices the examples come back as they are.
    """
    return [_apply(example, tuple(choices)) for example in examples]


def settle_choices(examples: Sequence[Example], wanted: Mapping[str, Wanted]) -> tuple[list[Example], list[Fault]]:
    """Examples of several tasks with their closed sets of answers, in the same order, and the rows that fit none.

    `wanted` has for a task its choices, `auto` (the default: found over all its
    examples, whatever file they come from) or `none`.
    """
    by_task: dict[str, list[Example]] = {}
    for example in examples:
        by_task.setdefault(example.task, []).append(example)
    choices = {task: _choices_of(members, wanted.get(task, "auto")) for task, members in by_task.items()}
    settled = [_apply(example, choices[example.task]) for example in examples]
    faults = [result for result in settled if isinstance(result, Fault)]
    return [result for result in settled if isinstance(result, Example)], faults


def separate_open(examples: Sequence[Example]) -> list[Example]:
    """The same examples in the same order; where a task holds closed and open questions, the open ones as `TASK-open`.

    The two are scored in different ways, so they cannot be one task.
    """
    closed = {example.task for example in examples if example.choices}
    return [example if example.choices or example.task not in closed else _renamed(example) for example in examples]


def _renamed(example: Example) -> Example:
    task = f"{example.task}-open"
    return example.model_copy(update={"task": task, "id": example_id(task, example.messages)})


def wanted_by_task(said: Iterable[tuple[str, Wanted]]) -> dict[str, Wanted]:
    """Task -> what its sources say of its closed set; a list by one of them is stronger than another's silence."""
    wanted: dict[str, Wanted] = {}
    for task, choices in said:
        if choices != "auto" or task not in wanted:
            wanted[task] = choices
    return wanted


def _choices_of(examples: Sequence[Example], wanted: Wanted) -> tuple[str, ...]:
    if isinstance(wanted, str):
        return find_choices(examples) if wanted == "auto" else ()
    return tuple(wanted)


def _is_label(answer: tuple[str, ...]) -> bool:
    return len(answer) == 1 and len(answer[0]) <= _MAX_CHARACTERS and "\n" not in answer[0]


def _apply(example: Example, choices: tuple[str, ...]) -> Example | Fault:
    choices = example.choices or choices
    if not choices:
        return example
    outputs = []
    for output in example.outputs:
        label = output.text if output.text in choices else output.text.strip()
        if label not in choices:
            return _not_among(example, label, choices)
        outputs.append(output.model_copy(update={"text": label}))
    return example.model_copy(update={"outputs": tuple(outputs), "choices": choices})


def _not_among(example: Example, label: str, choices: tuple[str, ...]) -> Fault:
    close = nearest(label.casefold(), folded := {choice.casefold(): choice for choice in choices})
    guess = f"; nearest: {folded[close]!r}" if close else ""
    return Fault(
        row=example.row,
        field="output",
        found=f"the answer {describe(label)}",
        expected=f"one of the choices {name_list(choices)}{guess}",
    )
