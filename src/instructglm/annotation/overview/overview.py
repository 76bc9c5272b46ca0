"""The figures of a project, question by question, and what they call for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy import func, select

from instructglm.annotation.aggregation import Aggregate, Reliability, Votes, shrunken_dawid_skene
from instructglm.annotation.agreement import (
    Finding,
    GroupAgreement,
    Judgements,
    ProjectAgreement,
    agreement_of_project,
    agreement_over_time,
    waiting_items,
    what_to_do_next,
)
from instructglm.annotation.overview.questions import Asked, QuestionKind, Rows, asked, collect
from instructglm.annotation.overview.splits import splits
from instructglm.annotation.queue.flags import CaseFlag, open_flags
from instructglm.annotation.queue.gold import GoldScore, gold_scores
from instructglm.annotation.store.projects import Settings, latest_guideline, read_project
from instructglm.annotation.store.reading import judgements
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Event
from instructglm.core.records import Record

_DAY_S = 24 * 3600.0
_PERIODS_S = (_DAY_S, 7 * _DAY_S, 28 * _DAY_S, 364 * _DAY_S)
_MOST_PERIODS = 31
_DRAWS_OF_PERIODS = 200
_ORDER: Mapping[QuestionKind, int] = {"label": 0, "rating": 1, "rank": 2}


class QuestionFigures(Record):
    """Agreement on one question, and what it calls for. `reliability` is of labels alone, least reliable first.

    Items are instructions (labels), outputs (ratings) or pairs of outputs (ranks). People stand by their ids.
    """

    kind: QuestionKind
    criterion: str
    figures: ProjectAgreement
    period_s: float
    periods: tuple[GroupAgreement, ...]
    findings: tuple[Finding, ...]
    reliability: tuple[Reliability, ...]
    warning: str


class Overview(Record):
    """A project's figures after `event`, the last of its events that was seen."""

    event: int
    num_answers: int
    waiting: tuple[Finding, ...]
    questions: tuple[QuestionFigures, ...]
    gold: tuple[GoldScore, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What to do next: for each question, then who is waited for."""
        return (*(finding for question in self.questions for finding in question.findings), *self.waiting)


@dataclass(frozen=True)
class Standing:
    """The overview, how far people split on each instruction (0 to 1), the labels made of theirs, what is set aside."""

    overview: Overview
    splits: Mapping[int, float]
    labels: Aggregate | None
    flags: tuple[CaseFlag, ...] = ()

    def opinion(self, instruction: int) -> dict[str, float] | None:
        """How likely each label is by all that was said; None where nobody gave one."""
        if self.labels is None or instruction not in (items := self.labels.votes.items):
            return None
        row = self.labels.posterior[items.index(instruction)]
        return dict(zip(map(str, self.labels.votes.labels), row.tolist(), strict=True))


def last_event(store: Store, project: int) -> int:
    """The number of the project's last event: its figures are the same as long as this is."""
    with store.read() as connection:
        return connection.scalar(select(func.max(Event.number)).where(Event.project == project)) or 0


def standing_of(store: Store, project: int) -> Standing:
    """All figures of a project. A million judgements take some ten seconds.

    Raises:
        DataError: there is no such project.
    """
    event = last_event(store, project)  # first: what comes meanwhile makes the figures newer than they say, not older
    with store.read() as connection:
        info, guideline = read_project(connection, project), latest_guideline(connection, project)
    said = collect(judgements(store, project))
    questions = [asked(one, rows, info.settings.criteria.get(one.criterion)) for one, rows in said.rows.items()]
    questions.sort(key=lambda one: (_ORDER[one.question.kind], one.question.criterion))
    labels = _labels(questions)
    overview = Overview(
        event=event,
        num_answers=len(said.answered.instruction),
        waiting=tuple(_waiting(said.answered, info.settings)),
        questions=tuple(_figures(one, labels, str(guideline or "")) for one in questions),
        gold=gold_scores(store, project),
    )
    return Standing(overview, splits(said, questions), labels, open_flags(store, project))


def _labels(questions: list[Asked]) -> Aggregate | None:
    found = [one.judgements.latest for one in questions if one.question.kind == "label"]
    if not found:
        return None
    (rows,) = found
    names = [np.array(column, dtype=object) for column in (rows.items, rows.annotators, rows.values)]
    columns = [column[codes] for column, codes in zip(names, (rows.item, rows.annotator, rows.value), strict=True)]
    return shrunken_dawid_skene(Votes.of(*columns))


def _figures(one: Asked, labels: Aggregate | None, guideline: str) -> QuestionFigures:
    rng = np.random.default_rng(0)  # so that the same judgements always have the same intervals
    figures = agreement_of_project(one.judgements, rng)
    period_s = _period(one.judgements)
    aggregate = labels if one.question.kind == "label" else None
    return QuestionFigures(
        kind=one.question.kind,
        criterion=one.question.criterion,
        figures=figures,
        period_s=period_s,
        periods=agreement_over_time(one.judgements, period_s, rng, num_draws=_DRAWS_OF_PERIODS),
        findings=what_to_do_next(one.judgements, figures, wanted=1, guideline=guideline),
        reliability=aggregate.reliabilities if aggregate else (),
        warning=aggregate.warning if aggregate else "",
    )


def _period(rows: Judgements) -> float:
    """The shortest period of which a picture has room for all."""
    span = float(np.ptp(rows.time)) if len(rows.time) else 0.0
    return next((period for period in _PERIODS_S if span / period < _MOST_PERIODS), _PERIODS_S[-1])


def _waiting(answered: Rows, settings: Settings) -> Iterator[Finding]:
    """Items with an answer, but not of as many people as they need, by domain; `wanted` may differ between them."""
    domain = np.array(answered.domain, dtype=object)
    instruction, annotator = answered.ints("instruction"), answered.ints("annotator")
    rows = Judgements.of(instruction, annotator, np.zeros(len(instruction)), domain=domain)
    for number, part in rows.parts(rows.domain):
        name = str(rows.domains[number])
        wanted = settings.annotators_for(name)
        for having, num_items in waiting_items(part, wanted).items():
            figures = {"num_items": num_items, "next_annotator": having + 1, "wanted": wanted}
            yield Finding(kind="waiting", domain=name, figures=figures)
