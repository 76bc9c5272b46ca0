"""What to do next, as data: what was found, where, and the counts; `text` is one way to say it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from instructglm.annotation.agreement.confusions import confusions
from instructglm.annotation.agreement.groups import GroupAgreement
from instructglm.annotation.agreement.judgements import Judgements
from instructglm.annotation.agreement.project import ProjectAgreement
from instructglm.core.records import Record

Kind = Literal["low_alpha", "one_value_prevails", "one_value_used", "waiting", "confused", "apart", "unsteady"]

TENTATIVE_ALPHA = 0.667
"""Below it Krippendorff draws no conclusion, not even a tentative one ("Content Analysis", chapter 12)."""
_MOST_CONFUSED_SHARE = 1 / 3  # of all disagreements, for two values to be worth a sentence
_FEWEST_DISAGREEMENTS = 10
_PREVAILING_AGREEMENT = 0.9  # where people agree so often and alpha is low, one value prevails

_SENTENCES: Mapping[Kind, str] = {
    "low_alpha": "{where}alpha {alpha:.2f} over {num_items} items: below {goal:g}; read those on which people split",
    "one_value_prevails": (
        "{where}alpha {alpha:.2f} over {num_items} items although {percent:.0%} of pairs agree: one value prevails; "
        "look at AC1 {gwet_ac:.2f}, and add items of the rare values"
    ),
    "one_value_used": "{where}all {num_ratings} ratings of {num_items} items are alike: alpha is undefined",
    "waiting": "{where}{num_items} items wait for annotator {next_annotator} of {wanted}",
    "confused": "{guideline}confuses {first} and {second} ({num_pairs} of {num_disagreements} disagreements{there})",
    "apart": "{annotator} agrees less with the others than anyone: kappa {kappa:.2f} over {num_items} items",
    "unsteady": "{annotator} repeats their own answer in {percent:.0%} of {num_items} items seen twice",
}


class Finding(Record):
    """One thing worth doing something about. `domain` is empty for the whole project."""

    kind: Kind
    domain: str
    figures: dict[str, float | int | str]

    @property
    def text(self) -> str:
        guideline = self.figures.get("guideline")
        words = {
            "where": f"domain {self.domain}: " if self.domain else "",
            "there": f" in {self.domain}" if self.domain else "",
            "guideline": f"guideline {guideline} " if guideline else "the guideline ",
        }
        return _SENTENCES[self.kind].format(**{**self.figures, **words})


def waiting_items(judgements: Judgements, wanted: int) -> dict[int, int]:
    """How many items have fewer than `wanted` annotators: by how many they have, 1 and more."""
    sizes = judgements.latest.counts().sum(axis=1)
    having = np.bincount(sizes[sizes > 0], minlength=wanted)
    return {number: int(having[number]) for number in range(1, wanted) if having[number]}


def what_to_do_next(
    judgements: Judgements,
    agreement: ProjectAgreement,
    *,
    wanted: int,
    guideline: str = "",
    goal: float = TENTATIVE_ALPHA,
) -> tuple[Finding, ...]:
    """What the figures of a project call for, domain by domain and then person by person.

    Args:
        judgements: what `agreement` was made of.
        agreement: its figures.
        wanted: annotators an item.
        guideline: the version under which people judged, for the text.
        goal: an alpha below it is worth a finding.
    """
    latest = judgements.latest
    parts = {str(judgements.domains[number]): part for number, part in latest.parts(latest.domain)}
    found: list[Finding] = []
    for group in agreement.domains:
        found += _of_group(group, goal)
        found += _waiting(group.name, parts[group.name], wanted)
        found += _confused(group.name, parts[group.name], guideline)
    return (*found, *_apart(agreement), *_unsteady(agreement))


def _of_group(group: GroupAgreement, goal: float) -> Iterator[Finding]:
    alpha, percent, ac = group.alpha, group.percent.value, group.gwet_ac.value
    counts = {"num_items": alpha.num_items, "num_ratings": alpha.num_ratings}
    if alpha.value is None:
        if alpha.num_items:
            yield Finding(kind="one_value_used", domain=group.name, figures=counts)
    elif alpha.value < goal and percent is not None and ac is not None:
        prevails = percent >= _PREVAILING_AGREEMENT
        figures = {**counts, "alpha": alpha.value, "percent": percent, "gwet_ac": ac, "goal": goal}
        yield Finding(kind="one_value_prevails" if prevails else "low_alpha", domain=group.name, figures=figures)


def _waiting(domain: str, part: Judgements, wanted: int) -> Iterator[Finding]:
    for number, num_items in waiting_items(part, wanted).items():
        figures = {"num_items": num_items, "next_annotator": number + 1, "wanted": wanted}
        yield Finding(kind="waiting", domain=domain, figures=figures)


def _confused(domain: str, part: Judgements, guideline: str) -> Iterator[Finding]:
    """With two values there is only one pair to confuse, which says nothing."""
    most = confusions(part, 1)
    if not most or len(part.values) < 3 or most[0].num_disagreements < _FEWEST_DISAGREEMENTS:
        return
    if most[0].share >= _MOST_CONFUSED_SHARE:
        yield Finding(kind="confused", domain=domain, figures={**most[0].model_dump(), "guideline": guideline})


def _apart(agreement: ProjectAgreement) -> Iterator[Finding]:
    """The person with the lowest kappa, where even its upper end lies below everybody else's middle."""
    known = [person for person in agreement.with_others if person.kappa.value is not None]
    if len(known) < 3:
        return
    lowest, *others = sorted(known, key=lambda person: (person.kappa.value or 0.0, str(person.annotator)))
    kappa = lowest.kappa
    if kappa.value is not None and kappa.high is not None and kappa.high < (others[0].kappa.value or 0.0):
        figures = {"annotator": str(lowest.annotator), "kappa": kappa.value, "num_items": kappa.num_items}
        yield Finding(kind="apart", domain="", figures=figures)


def _unsteady(agreement: ProjectAgreement) -> Iterator[Finding]:
    """People who agree with themselves clearly less than all do, by the interval of their share."""
    if not agreement.with_self:
        return
    everyone, *people = agreement.with_self
    for person in people:
        percent, usual = person.percent, everyone.percent.value
        if percent.high is not None and percent.value is not None and usual is not None and percent.high < usual:
            figures = {"annotator": str(person.annotator), "percent": percent.value, "num_items": percent.num_items}
            yield Finding(kind="unsteady", domain="", figures=figures)
