"""How far the people of a snapshot agree, and how far each of them can be relied on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from instructglm.annotation.aggregation.consensus import Consensus
from instructglm.annotation.agreement import GroupAgreement, Judgements, agreement_by, agreement_of_items
from instructglm.annotation.agreement.coefficient import Coefficient
from instructglm.annotation.columns import Ints
from instructglm.annotation.snapshot.closed import DIGITS
from instructglm.annotation.snapshot.labels import Votings
from instructglm.annotation.snapshot.manifest import AgreementFigures, AnnotatorFigures, Figure
from instructglm.annotation.snapshot.said import NUMBER, Said
from instructglm.annotation.snapshot.scores import HIGH, LOW
from instructglm.annotation.store.tables import Kind
from instructglm.core.ids import content_hash
from instructglm.core.seeds import derived_seed

MAX_TASKS = 20
_DRAWS_OF_PARTS = 200


def pseudonym(salt: str, person: int) -> str:
    """The name under which a person stands in snapshots of one store, always the same."""
    return f"annotator-{content_hash('annotator', salt, person)[:8]}"


def subjects(
    said: Said, tasks: Mapping[int, str], criteria: Sequence[str], domains: Mapping[int, str]
) -> Iterator[tuple[str, Judgements]]:
    """Labels of each task, the one with most first, and ratings by each criterion that is asked for."""
    labels = said.of_kind(Kind.LABEL)
    task = np.array([tasks.get(one, "") for one in labels.instruction.tolist()], dtype=object)
    names, numbers = np.unique(task.astype(str), return_counts=True)
    for name in sorted(names.tolist(), key=dict(zip(names.tolist(), (-numbers).tolist(), strict=True)).__getitem__):
        part = labels.where(task == name)
        texts = [said.texts[number] for number in part.text.tolist()]
        yield f"labels of {name}", _judgements(part, part.instruction, texts, domains)
    for number, criterion in enumerate(said.criteria):
        if criterion in criteria:
            part = said.where((said.kind == NUMBER[Kind.RATING]) & (said.criterion == number))
            if len(part.kind):
                yield f"ratings by {criterion}", _judgements(part, part.output, part.value.tolist(), domains)


def _judgements(part: Said, items: Ints, values: Sequence[str | float], domains: Mapping[int, str]) -> Judgements:
    return Judgements.of(
        items,
        part.annotator,
        values,
        level="nominal" if values and isinstance(values[0], str) else "interval",
        domain=[domains.get(one, "") for one in part.instruction.tolist()],
        round=part.round,
        time=part.at_ms / 1000,
    )


def agreement_figures(name: str, judgements: Judgements) -> Iterator[AgreementFigures]:
    """The agreement in all of a subject, and, where there are several, in its domains and rounds."""
    rng = np.random.default_rng(derived_seed(0, "snapshot agreement", name))
    yield _figures(name, "", agreement_of_items(judgements, rng))
    parts = (("domain", judgements.domains), ("round", judgements.rounds))
    for column, names in parts:
        if len(names) > 1:
            groups = agreement_by(judgements, column, rng, num_draws=_DRAWS_OF_PARTS)  # type: ignore[arg-type]
            yield from (_figures(name, f"{column} {group.name or '(none)'}", group) for group in groups)


def _figures(subject: str, part: str, group: GroupAgreement) -> AgreementFigures:
    return AgreementFigures(
        subject=subject,
        part=part,
        num_annotators=group.num_annotators,
        percent=_figure(group.percent),
        alpha=_figure(group.alpha),
        gwet_ac=_figure(group.gwet_ac),
    )


def _figure(found: Coefficient) -> Figure:
    value, low, high = (None if one is None else round(one, DIGITS) for one in (found.value, found.low, found.high))
    return Figure(
        value=value, low=low, high=high, num_items=found.num_items, num_judgements=found.num_ratings, note=found.note
    )


def annotator_figures(votings: Votings, fit: Consensus, salt: str) -> tuple[AnnotatorFigures, ...]:
    """Everybody who gave labels or ratings that count, in the order of their pseudonyms."""
    rows = zip(fit.annotators.tolist(), fit.bias.tolist(), fit.weight.tolist(), fit.num_shared.tolist(), strict=True)
    rating = {person: (bias, weight, number) for person, bias, weight, number in rows}
    people = sorted({*votings.accuracy, *rating}, key=lambda person: pseudonym(salt, person))
    return tuple(_annotator(person, votings, rating.get(person), salt) for person in people)


def _annotator(person: int, votings: Votings, rating: tuple[float, float, int] | None, salt: str) -> AnnotatorFigures:
    accuracy, num_labels = votings.accuracy.get(person, (None, 0))
    bias, weight, num_shared = rating or (None, None, 0)
    return AnnotatorFigures(
        annotator=pseudonym(salt, person),
        num_labels=num_labels,
        label_accuracy=None if accuracy is None else round(accuracy, DIGITS),
        num_shared_ratings=num_shared,
        rating_bias=None if bias is None else round((HIGH - LOW) * bias, DIGITS),
        rating_weight=None if weight is None else round(weight, DIGITS),
    )
