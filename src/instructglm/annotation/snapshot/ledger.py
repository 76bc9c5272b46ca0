"""Why an instruction or an output is not in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from instructglm.core.records import Record

Reason = Literal[
    "withdrawn",
    "gold",
    "declined",
    "flagged",
    "rejected",
    "unjudged",
    "too_few_annotators",
    "no_label",
    "not_a_choice",
    "label_tie",
    "unsure_label",
    "no_output",
    "none_accepted",
    "not_chosen",
    "edited",
    "rated_low",
    "ranked_low",
    "blank",
    "duplicate",
    "not_the_label",
    "instruction_out",
]

MEANINGS: Mapping[Reason, str] = {
    "withdrawn": "taken out of use in the store",
    "gold": "its answer is known and people are scored on it",
    "declined": "a reviewer accepted nothing of it",
    "flagged": "somebody flagged it, and no reviewer has decided",
    "rejected": "more than half of those who judged it rejected it",
    "unjudged": "nobody said anything of it",
    "too_few_annotators": "fewer people answered than were asked for",
    "no_label": "a closed question that nobody labelled",
    "not_a_choice": "its labels are none of its choices",
    "label_tie": "two labels are equally likely",
    "unsure_label": "the likeliest label is less likely than was asked for",
    "no_output": "an open task without an output",
    "none_accepted": "none of its outputs is accepted; each has a reason of its own",
    "not_chosen": "a reviewer decided, and did not accept it",
    "edited": "a person changed it into a better one",
    "rated_low": "rated lower than was asked for",
    "ranked_low": "ranked below the middle of its siblings, and not rated",
    "blank": "holds no character that can be seen",
    "duplicate": "another accepted output of the instruction has the same text",
    "not_the_label": "of a closed question: the label is its answer",
    "instruction_out": "its instruction is not in",
}


class LeftOut(Record):
    """An instruction (`output` None) or an output that is not in; the numbers are those of the store."""

    instruction: int
    output: int | None = None
    reason: Reason
    detail: str = ""


class LedgerCounts(Record):
    """Reason -> how many, most frequent first."""

    instructions: dict[str, int]
    outputs: dict[str, int]


def from_counts(counts: Counter[tuple[bool, Reason]]) -> LedgerCounts:
    """From counts by (is it an instruction, why)."""
    instructions, outputs = (
        dict(sorted(((why, n) for (of_item, why), n in counts.items() if of_item is wanted), key=lambda x: (-x[1], x)))
        for wanted in (True, False)
    )
    return LedgerCounts(instructions=instructions, outputs=outputs)
