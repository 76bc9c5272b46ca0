"""The account adds up."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from instructglm.core.ledger import Ledger, LedgerEntry, Reason

REASONS = st.sampled_from(get_args(Reason))


@given(st.lists(st.tuples(REASONS, st.booleans())))
def test_every_entry_is_counted_once_under_its_reason(drawn: list[tuple[Reason, bool]]) -> None:
    ledger = Ledger()
    for index, (reason, whole) in enumerate(drawn):
        if whole:
            ledger.drop(f"a.jsonl:{index}", reason)
        else:
            ledger.cut(f"a.jsonl:{index}", reason, num_tokens=3)
    assert len(ledger) == sum(ledger.counts().values()) == len(drawn)
    assert list(ledger.counts().values()) == sorted(ledger.counts().values(), reverse=True)
    assert [entry.row for entry in ledger.entries] == [f"a.jsonl:{index}" for index in range(len(drawn))]


def test_a_dropped_row_and_a_cut_one() -> None:
    ledger = Ledger()
    ledger.drop("a:1", "duplicate", "of a:0", task="t")
    ledger.cut("a:2", "overlong", 12, "of 524 tokens")
    assert ledger.entries == (
        LedgerEntry(row="a:1", reason="duplicate", detail="of a:0", task="t"),
        LedgerEntry(row="a:2", reason="overlong", detail="of 524 tokens", action="cut", num_tokens=12),
    )


def test_a_ledger_goes_on_from_entries_and_does_not_share_them() -> None:
    first = Ledger()
    first.drop("a:1", "empty")
    second = Ledger(first.entries)
    second.drop("a:2", "empty")
    assert (len(first), len(second)) == (1, 2)
