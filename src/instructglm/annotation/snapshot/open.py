"""Open tasks: which outputs are accepted, and with which weight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import exp, fsum

from instructglm.annotation.snapshot.closed import DIGITS
from instructglm.annotation.snapshot.items import Accepted, Item, Outcome, out, outputs_out
from instructglm.annotation.snapshot.ledger import Reason
from instructglm.annotation.snapshot.options import Options
from instructglm.annotation.snapshot.scores import on_scale
from instructglm.annotation.store.reading import StoredOutput
from instructglm.annotation.store.tables import Origin


def decide_open(item: Item, options: Options) -> Outcome:
    """The accepted outputs of an open task."""
    reasons = _not_chosen(item) if item.verdict else _left_out_by_people(item, options)
    reasons |= _repeated(one for one in item.outputs if one.id not in reasons)
    chosen = [one for one in item.outputs if one.id not in reasons]
    if not chosen:
        return out(item, "none_accepted" if item.outputs else "no_output", outputs=reasons)
    weights = _weights(item, chosen)
    accepted = tuple(_accepted(item, one, weight) for one, weight in zip(chosen, weights, strict=True))
    return Outcome(accepted, "reviewer" if item.verdict else "people", None, outputs_out(item, reasons))


def _not_chosen(item: Item) -> dict[int, Reason]:
    accepted = item.verdict.accepted if item.verdict else frozenset()
    reasons: dict[int, Reason] = {one.id: "not_chosen" for one in item.outputs if one.id not in accepted}
    return reasons | {one.id: "blank" for one in item.outputs if not one.text.strip()}


def _left_out_by_people(item: Item, options: Options) -> dict[int, Reason]:
    """Newest first: an output that a better one replaced is out, unless people did not want that one either."""
    reasons: dict[int, Reason] = {}
    replaced: set[int] = set()
    for one in sorted(item.outputs, key=lambda output: -output.id):
        reason = "edited" if one.id in replaced else _why_not(item, one, options)
        if reason is not None:
            reasons[one.id] = reason
        if reason in (None, "edited") and one.edited_from is not None:
            replaced.add(one.edited_from)
    return reasons


def _why_not(item: Item, one: StoredOutput, options: Options) -> Reason | None:
    """Why people's judgements leave an output out; None: they do not."""
    if not one.text.strip():
        return "blank"
    if 2 * len(item.voices.rejections.get(one.id, ())) > len(item.judges_of(one.id)):
        return "rejected"
    if one.id in item.quality:
        return "rated_low" if round(item.quality[one.id], DIGITS) < options.min_rating else None
    if one.origin == Origin.PERSON:
        return None
    if one.id in item.strengths:
        return "ranked_low" if item.strengths[one.id] < 0.0 else None
    return None if options.accept_imported and one.origin == Origin.IMPORTED else "unjudged"


def _repeated(outputs: Iterable[StoredOutput]) -> Mapping[int, Reason]:
    first: dict[str, int] = {}
    return {one.id: "duplicate" for one in outputs if first.setdefault(one.text, one.id) != one.id}


def _weights(item: Item, chosen: Sequence[StoredOutput]) -> list[float]:
    """By ratings, else by ranks, else alike. Of what nobody judged, nobody said that it is bad: it counts as the mean.

    Ranks give odds: an output twice as heavy is expected to win against the other two times out of three.
    """
    rated = [on_scale(item.quality[one.id]) for one in chosen if one.id in item.quality]
    if rated:
        mean = fsum(rated) / len(rated)
        found = [on_scale(item.quality[one.id]) if one.id in item.quality else mean for one in chosen]
    else:
        found = [exp(item.strengths.get(one.id, 0.0)) for one in chosen]
    return [round(weight, DIGITS) for weight in found]


def _accepted(item: Item, one: StoredOutput, weight: float) -> Accepted:
    ratings = (share for _, share in sorted(item.ratings.get(one.id, {}).items()))
    return Accepted(
        text=one.text,
        weight=weight,
        origin="edited" if one.edited_from is not None else one.origin,
        output=one.id,
        person=one.person,
        ratings=tuple(round(on_scale(share), DIGITS) for share in ratings),
    )
