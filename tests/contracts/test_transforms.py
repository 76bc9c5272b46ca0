"""What every registered transform keeps to."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructglm.config.data import TRANSFORM
from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Message, Output, Split, example_id, prompt_hash
from instructglm.data.transforms import TRANSFORMS

TEXTS = st.sampled_from(["a", " a", "a\u200b", "b\r\n", "", "\ufeff", "是", "café", "cafe\u0301"])


@st.composite
def lists_of_examples(draw: st.DrawFn) -> list[Example]:
    examples = []
    for number in range(draw(st.integers(0, 12))):
        messages = (Message(role="user", content=draw(TEXTS)),)
        task, choices = draw(st.sampled_from([("open", ()), ("closed", ("a", "b"))]))
        examples.append(
            Example(
                id=example_id(task, messages), task=task, messages=messages, choices=choices,
                outputs=tuple(Output(text=text) for text in draw(st.lists(TEXTS, min_size=1, max_size=3))),
                group=draw(st.sampled_from(["doc", prompt_hash(messages)])), row=f"f:{number}",
                split=draw(st.none() | st.sampled_from(Split)),
            )
        )  # fmt: skip
    return examples


def outputs(examples: list[Example]) -> set[tuple[str, str]]:
    return {(example.id, text) for example in examples for text in example.references}


def rows_of(ledger: Ledger, action: str) -> list[str]:
    return [entry.row for entry in ledger.entries if entry.action == action]


def test_the_configuration_names_them_all():
    assert set(get_args(TRANSFORM)) == set(TRANSFORMS)


@pytest.mark.parametrize("name", TRANSFORMS)
class TestEveryTransform:
    @given(examples=lists_of_examples())
    @settings(max_examples=60, deadline=None)
    def test_a_row_is_kept_or_named_never_both(self, name, examples):
        ledger = Ledger()
        kept = TRANSFORMS[name](examples, ledger)
        rows, dropped = [example.row for example in kept], rows_of(ledger, "dropped")
        assert len({*rows, *dropped}) == len(rows) + len(dropped)
        gone = [example for example in examples if example.row not in {*rows, *dropped}]
        assert outputs(gone) <= outputs(kept)  # merged into another of the same prompt

    @given(examples=lists_of_examples())
    @settings(max_examples=60, deadline=None)
    def test_every_output_is_kept_or_named(self, name, examples):
        ledger = Ledger()
        kept = TRANSFORMS[name](examples, ledger)
        dropped = rows_of(ledger, "dropped")
        num_dropped = sum(len(example.outputs) for example in examples if example.row in dropped)
        num_kept = sum(len(example.outputs) for example in kept)
        assert num_kept + num_dropped + len(rows_of(ledger, "cut")) == sum(len(one.outputs) for one in examples)

    @given(examples=lists_of_examples())
    @settings(max_examples=60, deadline=None)
    def test_twice_is_once(self, name, examples):
        once = TRANSFORMS[name](examples, Ledger())
        again = Ledger()
        assert TRANSFORMS[name](once, again) == once
        assert len(again) == 0

    @given(examples=lists_of_examples())
    @settings(max_examples=60, deadline=None)
    def test_what_is_kept_keeps_its_row_task_and_order(self, name, examples):
        known = {example.row: example for example in examples}
        kept = TRANSFORMS[name](examples, Ledger())
        places = [examples.index(known[example.row]) for example in kept]
        assert places == sorted(places)
        for example in kept:
            old = known[example.row]
            assert example.task == old.task
            assert old.split in (None, example.split)
            assert example.id == example_id(example.task, example.messages)

    def test_nothing_gives_nothing(self, name):
        assert TRANSFORMS[name]([], Ledger()) == []
