"""How far people agree with themselves: the same person, the same question, two rounds."""

from __future__ import annotations

from collections.abc import Iterator

from instructglm.annotation.store.reading import Judgement, judgements
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Kind
from instructglm.core.records import Record


class Repeat(Record):
    """What a person said of the same thing in an earlier and in the next round in which they met it."""

    annotator: int
    item: str
    output: int | None
    kind: str
    criterion: str
    first: float | str
    second: float | str
    first_round: int
    second_round: int
    apart_ms: int


def repeats(store: Store, project: int) -> Iterator[Repeat]:
    """All pairs of ratings and of labels that one person gave to one thing, round after round."""
    earlier: dict[tuple[int, int, int | None, str, str], Judgement] = {}
    found = judgements(store, project, kinds=(Kind.RATING, Kind.LABEL), with_gold=True)
    for now in sorted(found, key=lambda judgement: judgement.round):
        same = (now.annotator, now.instruction, now.output, now.kind, now.criterion)
        if same in earlier and earlier[same].round < now.round:
            yield _repeat(earlier[same], now)
        earlier[same] = now


def _repeat(first: Judgement, second: Judgement) -> Repeat:
    return Repeat(
        annotator=first.annotator,
        item=first.item,
        output=first.output,
        kind=first.kind,
        criterion=first.criterion,
        first=_said(first),
        second=_said(second),
        first_round=first.round,
        second_round=second.round,
        apart_ms=second.at_ms - first.at_ms,
    )


def _said(judgement: Judgement) -> float | str:
    return (judgement.text or "") if judgement.value is None else judgement.value
