"""The ledger on the page: nothing lost, nothing counted twice."""

from hypothesis import given
from hypothesis import strategies as st

from instructglm.core.ledger import Ledger, LedgerEntry
from instructglm.report.account import account, split_row_id
from instructglm.report.contents import DataCard

ROWS = st.one_of(
    st.builds("{}:{}".format, st.sampled_from(["a.jsonl", "b:1.txt", "c[2].json"]), st.integers(0, 99)),
    st.builds("{}[{}]".format, st.sampled_from(["a.json", "b"]), st.integers(0, 99)),
    st.text(max_size=8),
)
ENTRIES = st.builds(
    LedgerEntry,
    row=ROWS,
    reason=st.sampled_from(["empty", "overlong", "duplicate"]),
    detail=st.sampled_from(["", "x", "y"]),
    action=st.sampled_from(["dropped", "cut"]),
    num_tokens=st.one_of(st.none(), st.integers(0, 9)),
)


def card(entries: list[LedgerEntry]) -> DataCard:
    counts = Ledger(entries).counts()
    return DataCard(name="d", hash="0", sources=(), tasks=(), ledger_counts=counts, ledger=tuple(entries))


@given(ROWS)
def test_a_split_id_joins_to_itself(row: str) -> None:
    assert "".join(split_row_id(row)) == row


@given(st.lists(ENTRIES, max_size=30))
def test_grouping_keeps_every_entry(entries: list[LedgerEntry]) -> None:
    found = [
        (reason.reason, file.file + place, note.text)
        for reason in account(card(entries))
        for file in reason.files
        for note in file.notes
        for place in note.places
    ]
    assert sorted(found) == sorted((entry.reason, entry.row, entry.detail) for entry in entries)


@given(st.lists(ENTRIES, max_size=30))
def test_counts_add_up(entries: list[LedgerEntry]) -> None:
    for reason in account(card(entries)):
        mine = [entry for entry in entries if entry.reason == reason.reason]
        assert reason.num_rows == len(mine) == reason.num_dropped + reason.num_cut
        assert reason.num_rows == sum(file.num_rows for file in reason.files)
        known = [entry.num_tokens for entry in mine if entry.num_tokens is not None]
        assert reason.num_tokens == (sum(known) if known else None)


def test_a_long_note_is_shortened_on_the_page_only() -> None:
    (reason,) = account(card([LedgerEntry(row="a:1", reason="malformed", detail="x" * 10_000)]))
    assert len(reason.files[0].notes[0].text) == 201
