"""Whether an instruction is in, and with which answers.

A reviewer's verdict beats all. Then a known answer, where gold items are asked for. Then what people said: a label for
closed questions (`closed.py`), outputs for open tasks (`open.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from instructglm.annotation.snapshot.closed import decide_closed
from instructglm.annotation.snapshot.items import Item, Outcome, out
from instructglm.annotation.snapshot.labels import Label
from instructglm.annotation.snapshot.ledger import Reason
from instructglm.annotation.snapshot.open import decide_open
from instructglm.annotation.snapshot.options import Options
from instructglm.annotation.store.tables import Origin


def decide(item: Item, labels: Mapping[int, Label], options: Options) -> Outcome:
    """What becomes of an instruction. Every one that is out, and every output, has its reason."""
    if item.is_gold and not options.with_gold:
        return out(item, "gold")
    refused = _refused_by_reviewer(item) if item.verdict else _refused_by_people(item, options)
    if refused is not None:
        return refused
    if item.instruction.choices:
        return decide_closed(item, labels.get(item.instruction.id), options)
    return decide_open(item, options)


def _refused_by_reviewer(item: Item) -> Outcome | None:
    verdict = item.verdict
    declined = verdict is not None and not verdict.accepted and verdict.label is None
    return out(item, "declined") if declined else None


def _refused_by_people(item: Item, options: Options) -> Outcome | None:
    voices = item.voices
    num_people, num_flags, num_rejects = len(voices.people), len(voices.flagged_by), len(voices.rejected_by)
    if num_flags:
        return out(item, "flagged", f"by {num_flags}")
    if 2 * num_rejects > num_people:
        return out(item, "rejected", f"by {num_rejects} of {num_people}")
    if item.known_label is not None:
        return None
    if not num_people:
        return None if options.accept_imported and _has_imported(item) else out(item, _why_silent(item))
    if num_people < options.min_annotators:
        return out(item, "too_few_annotators", f"{num_people} of {options.min_annotators}")
    return None


def _has_imported(item: Item) -> bool:
    return any(one.origin == Origin.IMPORTED for one in item.outputs)


def _why_silent(item: Item) -> Reason:
    return "unjudged" if item.outputs or item.instruction.choices else "no_output"
