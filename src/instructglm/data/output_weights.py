"""What each output counts among those of its prompt, by the experiment's choice.

Weights are shares: what a prompt's outputs weigh together is always that of one
output, so a prompt with a single output is the same by every rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from instructglm.annotation.aggregation import mean_rating
from instructglm.config.training import OutputWeights
from instructglm.core.ledger import Ledger, LedgerEntry, shortened
from instructglm.core.records import Example, Output


def weighed(examples: Sequence[Example], rule: OutputWeights, ledger: Ledger) -> list[Example]:
    """The examples with their outputs as training weighs them; what it does not train is left out, and in the ledger.

    Ratings of one prompt are compared with each other only, and where none of
    its outputs is rated, all count the same.
    """
    return [example.model_copy(update={"outputs": _RULES[rule](example, ledger)}) for example in examples]


def count_unrated(examples: Sequence[Example]) -> int:
    """Prompts with several outputs of which none is rated."""
    return sum(len(example.outputs) > 1 and not any(one.ratings for one in example.outputs) for example in examples)


def _given(example: Example, ledger: Ledger) -> tuple[Output, ...]:
    return example.outputs


def _equal(example: Example, ledger: Ledger) -> tuple[Output, ...]:
    return tuple(output.model_copy(update={"weight": 1.0}) for output in example.outputs)


def _by_rating(example: Example, ledger: Ledger) -> tuple[Output, ...]:
    """In proportion to the mean rating. Nobody said that an unrated output is bad: it counts as the mean of the rated.

    With no rated output there is no mean, and all are equal.
    """
    rated = [mean_rating(output.ratings) for output in example.outputs if output.ratings]
    middle = mean_rating(rated) if rated else 1.0
    return tuple(
        output.model_copy(update={"weight": mean_rating(output.ratings) if output.ratings else middle})
        for output in example.outputs
    )


def _best(example: Example, ledger: Ledger) -> tuple[Output, ...]:
    """The one of the highest mean rating; several where they are equal, and all where none is rated."""
    highest = max((mean_rating(output.ratings) for output in example.outputs if output.ratings), default=None)
    if highest is None:
        return _equal(example, ledger)
    kept = []
    for output in example.outputs:
        if output.ratings and mean_rating(output.ratings) == highest:
            kept.append(output.model_copy(update={"weight": 1.0}))
        else:
            ledger.add(_outranked(example, output, highest))
    return tuple(kept)


def _outranked(example: Example, output: Output, highest: float) -> LedgerEntry:
    rated = f"rated {mean_rating(output.ratings):g}" if output.ratings else "not rated"
    detail = f"one of its outputs is {rated}, the best {highest:g}: {shortened(output.text)}"
    return LedgerEntry(row=example.row, reason="outranked", detail=detail, action="cut", task=example.task)


_RULES: dict[OutputWeights, Callable[[Example, Ledger], tuple[Output, ...]]] = {
    "given": _given,
    "equal": _equal,
    "rating": _by_rating,
    "best": _best,
}
