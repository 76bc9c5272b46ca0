"""Closed questions: which of the choices is the answer."""

from __future__ import annotations

from instructglm.annotation.snapshot.items import Accepted, Item, Outcome, out, outputs_out
from instructglm.annotation.snapshot.labels import Label
from instructglm.annotation.snapshot.ledger import Reason
from instructglm.annotation.snapshot.options import Options

DIGITS = 6
"""Of weights and shares in a snapshot: the same on every machine, whatever its arithmetic does further down."""
_LEAST = 1e-6


def decide_closed(item: Item, label: Label | None, options: Options) -> Outcome:
    """The label of a question with choices, by the reviewer, a known answer, or the people."""
    if item.verdict is not None:
        decided = item.verdict.label or _label_of_outputs(item)
        return _answered(item, decided, "reviewer") if decided else out(item, "no_label", "the reviewer gave none")
    if item.known_label is not None:
        return _answered(item, item.known_label, "gold")
    if label is None:
        return out(item, *_why_none(item))
    if label.label is None:
        return out(item, "label_tie", f"{label.num_votes} labels")
    if label.confidence < options.min_confidence:
        return out(item, "unsure_label", f"{label.label}: {label.confidence:.3f} of {label.num_votes} labels")
    return _answered(item, label.label, "people", round(label.confidence, DIGITS))


def _label_of_outputs(item: Item) -> str | None:
    """The one choice that the outputs accepted by the reviewer spell; None where there is none or are several."""
    accepted = item.verdict.accepted if item.verdict else frozenset()
    spelled = {one.text.strip() for one in item.outputs if one.id in accepted}
    found = spelled & set(item.instruction.choices)
    return found.pop() if len(found) == 1 else None


def _why_none(item: Item) -> tuple[Reason, str]:
    return ("not_a_choice", "") if item.voices.num_labels else ("no_label", "")


def _answered(item: Item, label: str, decided_by: str, confidence: float | None = None) -> Outcome:
    if label not in item.instruction.choices:
        return out(item, "not_a_choice", label)
    weight = 1.0 if confidence is None else max(confidence, _LEAST)
    left_out = outputs_out(item, {one.id: "not_the_label" for one in item.outputs})
    return Outcome((Accepted(label, weight, "label"),), decided_by, confidence, left_out)
