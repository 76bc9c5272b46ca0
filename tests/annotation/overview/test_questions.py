"""How answers become the items and values of a question, and how far people split on each, by hand."""

from __future__ import annotations

import pytest

from instructglm.annotation.agreement import Judgements, disagreement_per_item
from instructglm.annotation.overview.questions import Question, asked, collect
from instructglm.annotation.overview.splits import splits
from instructglm.annotation.store.projects import Scale
from instructglm.annotation.store.reading import Judgement


def said(instruction: int, annotator: int, kind: str, *, round: int = 1, **what) -> Judgement:
    values = {"output": None, "criterion": "", "value": None, "text": None, "domain": "law", "at_ms": 0, "took_ms": 0}
    known = {"item": f"key {instruction}", "instruction": instruction, "annotator": annotator, "kind": kind}
    return Judgement(**{**values, **known, "round": round, **what})


def rank(instruction: int, annotator: int, ranks: dict[int, int], **what) -> list[Judgement]:
    return [
        said(instruction, annotator, "rank", output=one, value=float(place), **what) for one, place in ranks.items()
    ]


def test_of_a_ranking_every_pair_of_outputs_is_an_item() -> None:
    found = collect([*rank(1, 7, {10: 1, 11: 2, 12: 2}), *rank(1, 8, {12: 1, 10: 3}), *rank(2, 7, {20: 1})])
    one = asked(Question("rank"), found.rows[Question("rank")], None)
    rows = one.judgements
    values = {
        (rows.items[item], rows.annotators[person]): rows.values[value]
        for item, person, value in zip(rows.item, rows.annotator, rows.value, strict=True)
    }
    first, second, third = rows.items  # (10, 11), (10, 12), (11, 12)
    assert values == {(first, 7): 1.0, (second, 7): 1.0, (second, 8): -1.0, (third, 7): 0.0}
    assert (one.instruction.tolist(), rows.level, rows.values) == ([1, 1, 1], "ordinal", (-1.0, 0.0, 1.0))


def test_rankings_of_two_rounds_are_two() -> None:
    found = collect([*rank(1, 7, {10: 1, 11: 2}), *rank(1, 7, {10: 2, 11: 1}, round=2)])
    rows = asked(Question("rank"), found.rows[Question("rank")], None).judgements
    assert sorted(zip(rows.round.tolist(), rows.value.tolist(), strict=True)) == [(0, 2), (1, 0)]


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (Scale(low=1, high=5), (1.0, 2.0, 3.0, 3.5, 4.0, 5.0)),
        (Scale(low=0, high=1000), (2.0, 3.5)),
        (None, (2.0, 3.5)),
    ],
)
def test_a_rating_has_all_marks_of_its_scale(scale, expected) -> None:
    found = collect([said(1, who, "rating", output=5, criterion="c", value=v) for who, v in ((7, 2.0), (8, 3.5))])
    rows = asked(Question("rating", "c"), found.rows[Question("rating", "c")], scale).judgements
    assert (rows.values, rows.items) == (expected, (5,))


def test_disagreement_is_the_mean_distance_of_two_people() -> None:
    ordinal = Judgements.of([1, 1, 1, 2], [7, 8, 9, 7], [1.0, 3.0, 5.0, 4.0], level="ordinal", values=[1, 2, 3, 4, 5])
    assert disagreement_per_item(ordinal) == pytest.approx({1: (0.5 + 0.5 + 1.0) / 3})
    names = Judgements.of(["a", "a", "b", "b"], [7, 8, 7, 8], ["x", "y", "x", "x"])
    assert disagreement_per_item(names) == {"a": 1.0, "b": 0.0}


def test_an_instruction_is_as_split_as_its_most_disputed_point() -> None:
    judged = [
        *(said(1, who, "label", text="yes") for who in (7, 8)),
        *(said(1, who, "rating", output=5, criterion="c", value=v) for who, v in ((7, 2.0), (8, 4.0))),
        *(said(2, who, "label", text="yes") for who in (7, 8, 9)),
        said(2, 8, "reject", output=None, text="not a question"),
        said(3, 7, "label", text="no"),
        said(3, 7, "reject", output=5, text="wrong"),
        said(4, 7, "skip", text=""),
    ]
    found = collect(sorted(judged, key=lambda one: (one.instruction, one.annotator)))  # answer by answer, as stored
    questions = [asked(one, rows, Scale(low=1, high=5)) for one, rows in found.rows.items()]
    assert splits(found, questions) == pytest.approx({1: 0.5, 2: 2 / 3})
    assert len(found.answered.instruction) == 6  # of the seven people one skipped
