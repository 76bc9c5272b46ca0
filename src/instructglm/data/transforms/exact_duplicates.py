"""Equal prompts become one example with several outputs; equal outputs among them are dropped."""

from __future__ import annotations

from collections.abc import Iterable

from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Output


def merge_equal_prompts(examples: list[Example], ledger: Ledger) -> list[Example]:
    """One example for each (task, prompt), at the place of the first, with the outputs of all in order.

    An output that stands already is a duplicate. Rows of a closed task that
    answer one prompt differently contradict each other: all of them go. Rows
    for which the source names different splits are left for the split to judge.
    """
    together: dict[tuple[str, str | None], list[Example]] = {}
    for example in examples:
        together.setdefault((example.id, example.split), []).append(example)
    return [merged for same in together.values() if (merged := _merge(same, ledger)) is not None]


def _merge(same: list[Example], ledger: Ledger) -> Example | None:
    first, *others = same
    if first.choices and len({frozenset(example.references) for example in same}) > 1:
        _drop_conflict(same, ledger)
        return None
    outputs: dict[str, Output] = {}
    for example in same:
        fresh = [output for output in _without_repeats(example.outputs) if output.text not in outputs]
        if not fresh:
            ledger.drop(example.row, "duplicate", f"same prompt and output as {first.row}", task=example.task)
        outputs.update((output.text, output) for output in fresh)
    return first.model_copy(update={"outputs": tuple(outputs.values())}) if others or outputs else first


def _without_repeats(outputs: Iterable[Output]) -> Iterable[Output]:
    return {output.text: output for output in outputs}.values()


def _drop_conflict(same: list[Example], ledger: Ledger) -> None:
    for example in same:
        others = ", ".join(other.row for other in same if other.row != example.row)
        answer = " | ".join(example.references)
        ledger.drop(example.row, "conflict", f"answers {answer!r}; {others} answers otherwise", task=example.task)
