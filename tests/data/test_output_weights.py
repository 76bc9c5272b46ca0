"""Output weights: each rule's shares, ties, outputs that nobody rated, and what is left out by name."""

from __future__ import annotations

import pytest

from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Message, Output
from instructglm.data.output_weights import count_unrated, weighed
from instructglm.data.transforms import TRANSFORMS

RULES = ["given", "equal", "rating", "best"]


def example(*outputs: tuple[str, float, tuple[float, ...]], row: str = "a.jsonl:1") -> Example:
    made = Example.of([Message(role="user", content="Greet.")], [text for text, *_ in outputs], task="t", row=row)
    held = tuple(Output(text=text, weight=weight, ratings=ratings) for text, weight, ratings in outputs)
    return made.model_copy(update={"outputs": held})


def shares(rule, *outputs) -> dict[str, float]:
    (found,) = weighed([example(*outputs)], rule, Ledger())
    total = sum(output.weight for output in found.outputs)
    return {output.text: output.weight / total for output in found.outputs}


def test_each_rule_shares_in_its_way():
    outputs = [("a", 5.0, (1, 3)), ("b", 3.0, (6,)), ("c", 2.0, ())]
    assert shares("given", *outputs) == {"a": 0.5, "b": 0.3, "c": 0.2}
    assert shares("equal", *outputs) == pytest.approx({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})
    assert shares("rating", *outputs) == pytest.approx({"a": 2 / 12, "b": 6 / 12, "c": 4 / 12})
    assert shares("best", *outputs) == {"b": 1.0}


def test_a_missing_rating_is_neither_high_nor_low():
    with_it = shares("rating", ("a", 1, (2,)), ("b", 1, (4,)), ("c", 1, ()))
    assert with_it["a"] < with_it["c"] < with_it["b"]
    assert with_it["a"] / with_it["b"] == pytest.approx(1 / 2)  # as without it


def test_the_best_share_where_they_tie():
    assert shares("best", ("a", 9, (4, 5)), ("b", 1, (5, 4)), ("c", 1, (4,))) == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize("rule", ["rating", "best"])
def test_without_a_rating_all_count_the_same(rule):
    assert shares(rule, ("a", 9, ()), ("b", 1, ())) == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("ratings", [(), (0.1,)])
def test_one_output_is_the_same_by_every_rule(rule, ratings):
    ledger = Ledger()
    (found,) = weighed([example(("a", 3, ratings))], rule, ledger)
    assert (found.references, len(ledger)) == (("a",), 0)


def test_what_is_not_the_best_is_named():
    ledger = Ledger()
    weighed([example(("a" * 70, 1, (1, 2)), ("b", 1, (4,)), ("c", 1, ()), row="x.jsonl:7")], "best", ledger)
    assert [(entry.row, entry.reason, entry.action, entry.task) for entry in ledger.entries] == [
        ("x.jsonl:7", "outranked", "cut", "t")
    ] * 2
    first, second = (entry.detail for entry in ledger.entries)
    assert first == f"one of its outputs is rated 1.5, the best 4: '{'a' * 59}…'"
    assert second == "one of its outputs is not rated, the best 4: 'c'"


def test_prompts_that_ratings_say_nothing_of_are_counted():
    unrated, single = example(("a", 1, ()), ("b", 1, ())), example(("a", 1, ()))
    assert count_unrated([unrated, single, example(("a", 1, (3,)), ("b", 1, ()))]) == 1


def test_ratings_of_one_output_by_two_annotators_are_kept_together():
    def rated(annotator: str, rating: float) -> Example:
        made = example(("a", rating, (rating,)))
        return made.model_copy(update={"outputs": (made.outputs[0].model_copy(update={"annotator": annotator}),)})

    (merged,) = TRANSFORMS["exact_duplicates"]([rated("ann", 2.0), rated("bea", 5.0)], Ledger())
    assert merged.outputs == (Output(text="a", weight=7.0, annotator="ann, bea", ratings=(2.0, 5.0)),)
