"""The form of a project's settings: what it shows of them, and the settings that it sends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from instructglm.annotation.store.projects import Scale, Settings
from instructglm.studio.fields import LONGEST_TEXT, Fields

MOST_ANNOTATORS = 100
LONGEST_LEASE_MIN = 7 * 24 * 60
_MOST_ROWS = 200
_FARTHEST = 1000  # ends of a scale, either way
_MOST_STEPS = 100


class CriterionRow(NamedTuple):
    """A criterion as the form shows it; `labels` one a line."""

    name: str
    low: str
    high: str
    labels: str


class ProjectForm(NamedTuple):
    """All fields as they are shown."""

    name: str
    annotators: str
    domains: list[tuple[str, str]]
    criteria: list[CriterionRow]
    lease: str
    gold: str


def shown(name: str, settings: Settings) -> ProjectForm:
    """The form of a project."""
    criteria = [
        CriterionRow(criterion, str(scale.low), str(scale.high), "\n".join(scale.labels))
        for criterion, scale in settings.criteria.items()
    ]
    return ProjectForm(
        name=name,
        annotators=str(settings.annotators_per_item),
        domains=[(domain, str(number)) for domain, number in settings.annotators_per_domain.items()],
        criteria=criteria,
        lease=f"{settings.lease_s / 60:g}",
        gold=f"{settings.gold_share * 100:g}",
    )


def sent(fields: Fields) -> ProjectForm:
    """The form as it was filled in, to be shown again."""
    return ProjectForm(
        name=fields.text("name"),
        annotators=fields.text("annotators"),
        domains=[(row[0], row[1]) for row in _rows(fields, "domain", "domain_annotators")],
        criteria=[
            CriterionRow(*row)
            for row in _rows(fields, "criterion", "criterion_low", "criterion_high", "criterion_labels")
        ],
        lease=fields.text("lease"),
        gold=fields.text("gold"),
    )


def _rows(fields: Fields, first: str, *rest: str) -> Iterator[tuple[str, ...]]:
    """The rows of fields that repeat, without those whose first one is empty."""
    columns = [fields.texts(name)[:_MOST_ROWS] for name in (first, *rest)]
    for number, name in enumerate(columns[0]):
        if name.strip():
            yield name.strip(), *(column[number] if number < len(column) else "" for column in columns[1:])


def read_settings(fields: Fields, before: Settings) -> tuple[str, Settings]:
    """The name and the settings that were sent; `fields.faults` says what is wrong with them.

    Where there are faults, the settings are those of `before`.
    """
    form, name = sent(fields), fields.short("name")
    values = {
        "annotators_per_item": fields.whole("annotators", 1, MOST_ANNOTATORS),
        "annotators_per_domain": _domains(fields, form),
        "criteria": _criteria(fields, form),
        "lease_s": fields.number("lease", 0.5, LONGEST_LEASE_MIN) * 60,
        "gold_share": fields.number("gold", 0, 100) / 100,
    }
    return name, before if fields.faults else Settings.model_validate({**before.model_dump(), **values})


def _domains(fields: Fields, form: ProjectForm) -> dict[str, int]:
    _see_names(fields, "domain", [domain for domain, _ in form.domains])
    found = {}
    for number, (domain, annotators) in enumerate(form.domains):
        found[domain] = _whole(fields, f"domain-{number}", annotators, 1, MOST_ANNOTATORS)
    return found


def _criteria(fields: Fields, form: ProjectForm) -> dict[str, Scale]:
    _see_names(fields, "criterion", [row.name for row in form.criteria])
    return {row.name: _scale(fields, f"criterion-{number}", row) for number, row in enumerate(form.criteria)}


def _scale(fields: Fields, field: str, row: CriterionRow) -> Scale:
    low, high = (_whole(fields, field, text, -_FARTHEST, _FARTHEST) for text in (row.low, row.high))
    labels = tuple(line.strip() for line in row.labels.splitlines() if line.strip())
    if field in fields.faults:
        return Scale()
    if not 1 <= high - low <= _MOST_STEPS:
        fields.wrong(field, "fault.scale", most=_MOST_STEPS)
        return Scale()
    if len(labels) not in (0, 2, high - low + 1) or any(len(label) > LONGEST_TEXT for label in labels):
        fields.wrong(field, "fault.labels", found=len(labels), all=high - low + 1)
    return Scale(low=low, high=high, labels=labels)


def _whole(fields: Fields, field: str, text: str, low: int, high: int) -> int:
    found = fields.number_of(field, text, low, high)
    if found != int(found):
        fields.wrong(field, "fault.whole")
    return int(found)


def _see_names(fields: Fields, field: str, names: list[str]) -> None:
    twice = [name for name, number in Counter(names).items() if number > 1]
    if twice:
        fields.wrong(field, "fault.twice", name=twice[0][:LONGEST_TEXT])
    if any(len(name) > LONGEST_TEXT for name in names):
        fields.wrong(field, "fault.long", most=LONGEST_TEXT)
