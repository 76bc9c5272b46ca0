"""Equal prompts become one example with several outputs; equal outputs among them are dropped."""

from __future__ import annotations

from instructglm.core.ledger import Ledger, LedgerEntry, shortened
from instructglm.core.records import Example, Output, Split


def merge_equal_prompts(examples: list[Example], ledger: Ledger) -> list[Example]:
    """One example for each (task, prompt), at the place of the first, with the outputs of all in order.

    An output that stands already is a duplicate, unless another annotator gave
    it: then it weighs more. Rows of a closed task that answer one prompt
    differently contradict each other: all of them go. Rows for which the source
    names different splits are left for the split to judge; a row that names
    none joins the first that does.
    """
    named: dict[str, Split] = {}
    for example in examples:
        if example.split is not None:
            named.setdefault(example.id, example.split)
    together: dict[tuple[str, Split | None], list[Example]] = {}
    for example in examples:
        split = example.split or named.get(example.id)
        together.setdefault((example.id, split), []).append(example.model_copy(update={"split": split}))
    return [merged for same in together.values() if (merged := _merge(same, ledger)) is not None]


def _merge(same: list[Example], ledger: Ledger) -> Example | None:
    first = same[0]
    if first.choices and len({frozenset(example.references) for example in same}) > 1:
        _drop_conflict(same, ledger)
        return None
    outputs: dict[str, Output] = {}
    for example in same:
        repeated = [output for output in example.outputs if not _take(output, outputs)]
        if len(repeated) == len(example.outputs):
            ledger.drop(example.row, "duplicate", f"same prompt and output as {first.row}", task=example.task)
        else:
            for output in repeated:
                detail = f"one of its outputs stands already: {shortened(output.text)}"
                ledger.add(
                    LedgerEntry(row=example.row, reason="duplicate", detail=detail, action="cut", task=example.task)
                )
    return first.model_copy(update={"outputs": tuple(outputs.values())})


def _take(output: Output, outputs: dict[str, Output]) -> bool:
    """Add an output, or its weight where another annotator gave the same; False where it adds nothing."""
    known = outputs.get(output.text)
    if known is None:
        outputs[output.text] = output
        return True
    if output.annotator is None or output.annotator == known.annotator:
        return False
    both = f"{known.annotator}, {output.annotator}" if known.annotator else output.annotator
    outputs[output.text] = known.model_copy(
        update={
            "weight": known.weight + output.weight,
            "annotator": both,
            "ratings": (*known.ratings, *output.ratings),
        }
    )
    return True


def _drop_conflict(same: list[Example], ledger: Ledger) -> None:
    for example in same:
        others = [other for other in same if set(other.references) != set(example.references)]
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        answer, other = " | ".join(example.references), " | ".join(others[0].references)
        detail = f"answers {shortened(answer)}, but {others[0].row}{more} answers otherwise ({shortened(other)})"
        ledger.drop(example.row, "conflict", detail, task=example.task)
