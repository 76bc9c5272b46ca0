"""The forms that choose items: for a new round, and for more annotators in the open one."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, get_args

from instructglm.annotation.queue.choosing import Choice, Which
from instructglm.studio.fields import Fields
from instructglm.studio.project_form import MOST_ANNOTATORS

ANY = "*"
"""In the field of the domain: any of them. An empty one means items without a domain."""
_LONGEST_DELAY_H = 24 * 365
_FARTHEST = 2000  # on a scale
_FIELDS = (
    "which", "domain", "criterion", "apart", "first", "second", "fewer_than", "share", "annotators", "delay", "blind",
    "extra",
)  # fmt: skip


class RoundForm(NamedTuple):
    """What a new round shall be; `annotators` None: as the settings say."""

    choice: Choice
    share: float
    annotators: int | None
    delay_s: float
    blind: bool


def read_choice(fields: Fields, criteria: Collection[str]) -> Choice:
    """Which items; `fields.faults` says what is wrong."""
    which, domain, criterion = fields.text("which"), fields.text("domain", ANY), fields.text("criterion")
    return Choice(
        which=which if which in get_args(Which) else "all",
        domain=None if domain == ANY else domain,
        criterion=criterion if criterion in criteria else "",
        apart=fields.number("apart", 0, _FARTHEST, default=1),
        values=(fields.text("first").strip(), fields.text("second").strip()),
        fewer_than=fields.whole("fewer_than", 1, 1000, default=2),
    )


def read_round(fields: Fields, criteria: Collection[str]) -> RoundForm:
    """A new round; `fields.faults` says what is wrong."""
    annotators = fields.text("annotators").strip()
    return RoundForm(
        choice=read_choice(fields, criteria),
        share=fields.number("share", 0.01, 100, default=100) / 100,
        annotators=fields.whole("annotators", 1, MOST_ANNOTATORS) if annotators else None,
        delay_s=fields.number("delay", 0, _LONGEST_DELAY_H, default=0) * 3600,
        blind=fields.flag("blind"),
    )


def read_extra(fields: Fields) -> int:
    """How many more annotators."""
    return fields.whole("extra", 1, MOST_ANNOTATORS, default=1)


def as_sent(fields: Fields) -> dict[str, str]:
    """The fields as they were filled in, by name, to be shown and sent again."""
    return {name: fields.text(name) for name in _FIELDS if name in fields}
