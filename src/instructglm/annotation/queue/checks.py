"""Whether an answer fits its item."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from instructglm.annotation.queue.answers import Answer, NewText, new_texts
from instructglm.annotation.store.projects import Scale
from instructglm.core.errors import DataError


def check_answer(
    answer: Answer,
    *,
    shown: Collection[int],
    choices: Sequence[str],
    criteria: dict[str, Scale],
    own: Mapping[NewText, int],
) -> None:
    """See that an answer speaks of what was shown (`own` are the person's outputs of the revision before).

    Raises:
        DataError: it does not; every fault is named.
    """
    faults = [*_unknown_outputs(answer, {*shown, *own.values()}), *_replaced_outputs(answer, own)]
    faults += [*_labels(answer, choices), *_ratings(answer, criteria)]
    if faults:
        raise DataError(*faults, hint="Nothing was stored: mend the answer and save it again.")


def _unknown_outputs(answer: Answer, known: set[int]) -> Iterator[str]:
    for output in sorted(answer.outputs - known):
        yield f"output {output}: was not shown with this item"


def _replaced_outputs(answer: Answer, own: Mapping[NewText, int]) -> Iterator[str]:
    kept = set(new_texts(answer))
    for output in sorted(answer.judged & {one for new, one in own.items() if new not in kept}):
        yield f"output {output}: this very answer replaces it; expected a judgement of what stays"


def _labels(answer: Answer, choices: Sequence[str]) -> Iterator[str]:
    if answer.label is not None and answer.label not in choices:
        expected = f"one of {', '.join(choices)}" if choices else "none: this is an open task"
        yield f"label: found {answer.label!r}; expected {expected}"


def _ratings(answer: Answer, criteria: dict[str, Scale]) -> Iterator[str]:
    for rating in answer.ratings:
        scale = criteria.get(rating.criterion)
        if scale is None:
            yield f"rating by {rating.criterion!r}; expected one of {', '.join(criteria)}"
        elif not scale.low <= rating.value <= scale.high:
            found = f"rating of output {rating.output} by {rating.criterion!r}: found {rating.value:g}"
            yield f"{found}; expected {scale.low} to {scale.high}"
