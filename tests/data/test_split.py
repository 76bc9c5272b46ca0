"""Splits: fixed by the group, stable under growth, free of leaks, and every row accounted for."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from instructglm.config.data import Limit, SplitSettings
from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Message, Output, Split, example_id, prompt_hash
from instructglm.data.split import Quota, key_of, split_examples

THIRDS = SplitSettings(validation=0.3, test=0.3)


def example(
    prompt: str, task: str = "t", split: Split | None = None, group: str | None = None, row: str = ""
) -> Example:
    messages = (Message(role="user", content=prompt),)
    return Example(
        id=example_id(task, messages),
        task=task,
        messages=messages,
        outputs=(Output(text="answer"),),
        group=group or prompt_hash(messages),
        split=split,
        row=row or f"a.jsonl:{prompt}",
    )


def divide(examples, rules=THIRDS, limit=None):
    ledger = Ledger()
    quotas = {key_of(one): Quota("sources[0]", limit or Limit()) for one in examples}
    return split_examples(examples, rules, quotas, ledger), ledger


def where(splits) -> dict[str, Split]:
    return {one.row: split for split, examples in splits.items() for one in examples}


@given(
    st.lists(st.integers(0, 500), unique=True, max_size=60), st.lists(st.integers(501, 900), unique=True, max_size=60)
)
@settings(max_examples=40, deadline=None)
def test_growing_data_moves_no_old_row(old, new):
    before, _ = divide([example(str(number)) for number in old])
    after, _ = divide([example(str(number)) for number in (*new, *old)])
    assert where(before).items() <= where(after).items()


def test_shares_come_out_near_what_was_asked():
    splits, _ = divide([example(str(number)) for number in range(2000)])
    assert {split: round(len(examples) / 2000, 1) for split, examples in splits.items()} == {
        Split.TRAIN: 0.4,
        Split.VALIDATION: 0.3,
        Split.TEST: 0.3,
    }


@given(st.lists(st.tuples(st.integers(0, 15), st.sampled_from("ab"), st.sampled_from([None, *Split])), max_size=40))
@settings(max_examples=60, deadline=None)
def test_no_prompt_stands_in_two_splits_and_no_row_vanishes(rows):
    examples = [example(str(n), task, split, row=f"f:{i}") for i, (n, task, split) in enumerate(rows)]
    splits, ledger = divide(examples)
    homes: dict[str, set[Split]] = {}
    for split, held in splits.items():
        for one in held:
            homes.setdefault(prompt_hash(one.messages), set()).add(split)
    assert all(len(found) == 1 for found in homes.values())
    assert sorted([*where(splits), *(entry.row for entry in ledger.entries)]) == sorted(one.row for one in examples)
    assert {entry.reason for entry in ledger.entries} <= {"leaked"}


def test_rows_of_one_document_stay_together():
    by_document = THIRDS.model_copy(update={"group_by": "document"})
    examples = [example(f"{doc}-{line}", group=f"doc{doc}") for doc in range(40) for line in range(5)]
    splits, ledger = divide(examples, by_document)
    for doc in range(40):
        assert len({split for split, held in splits.items() for one in held if one.group == f"doc{doc}"}) == 1
    assert len(ledger) == 0
    apart, _ = divide(examples)  # by prompt, documents are torn
    assert any(
        len({split for split, held in apart.items() for one in held if one.group == f"doc{doc}"}) > 1
        for doc in range(40)
    )


def test_a_test_split_named_by_the_source_is_used_as_it_is():
    named = [example(str(n), split=Split.TEST if n < 10 else Split.TRAIN) for n in range(200)]
    splits, _ = divide(named)
    assert {one.row for one in splits[Split.TEST]} == {f"a.jsonl:{n}" for n in range(10)}
    assert 30 < len(splits[Split.VALIDATION]) < 90  # still drawn by hash from what is left


def test_a_train_row_whose_prompt_is_tested_is_leaked_and_named():
    splits, ledger = divide([example("q", split=Split.TRAIN, row="f:1"), example("q", split=Split.TEST, row="f:2")])
    assert where(splits) == {"f:2": Split.TEST}
    (entry,) = ledger.entries
    assert (entry.row, entry.reason, entry.detail) == ("f:1", "leaked", "held out with f:2")


def test_limits_keep_the_same_rows_whatever_the_file_order():
    examples = [example(str(number)) for number in range(300)]
    limit = Limit(train=20, validation=5, test=7)
    forward, ledger = divide(examples, limit=limit)
    backward, _ = divide(examples[::-1], limit=limit)
    assert where(forward) == where(backward)
    assert [len(forward[split]) for split in Split] == [20, 5, 7]
    assert ledger.counts() == {"over_limit": 300 - 32}


def test_each_source_has_its_own_limit():
    first, second = [example(f"a{n}") for n in range(50)], [example(f"b{n}") for n in range(50)]
    quotas = {key_of(one): Quota("sources[0]", Limit(train=3)) for one in first}
    quotas |= {key_of(one): Quota("sources[1]", Limit(train=8)) for one in second}
    splits = split_examples([*first, *second], THIRDS, quotas, Ledger())
    kept = [one.row.removeprefix("a.jsonl:")[0] for one in splits[Split.TRAIN]]
    assert (kept.count("a"), kept.count("b")) == (3, 8)
