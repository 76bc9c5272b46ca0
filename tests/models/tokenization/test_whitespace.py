from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from instructglm.models.tokenization.whitespace import named, restored

_TEXTS = st.text(st.sampled_from(" \n\tab<>n|2_"), max_size=60)


def _named_one_length_after_the_other(text: str) -> str:
    text = text.replace("\n", "<n>").replace("\t", "<|tab|>")
    for length in range(80, 1, -1):
        text = text.replace(" " * length, f"<|blank_{length}|>")
    return text


def _restored_one_length_after_the_other(text: str) -> str:
    text = text.replace("<n>", "\n").replace("<|tab|>", "\t")
    for length in range(2, 81):
        text = text.replace(f"<|blank_{length}|>", " " * length)
    return text


@given(_TEXTS, st.integers(0, 400), _TEXTS)
def test_runs_of_blanks_are_named_longest_first(before: str, num_blanks: int, after: str) -> None:
    text = before + " " * num_blanks + after
    assert named(text) == _named_one_length_after_the_other(text)


@given(st.text(st.sampled_from(" \n\tab，"), max_size=300))
def test_names_are_undone(text: str) -> None:
    assert restored(named(text)) == text


@given(
    st.lists(st.sampled_from(["<n>", "<|tab|>", "<|blank_", "|>", "1", "02", "2", "80", "81", "<", " "])).map("".join)
)
def test_only_the_names_of_the_vocabulary_are_undone(text: str) -> None:
    assert restored(text) == _restored_one_length_after_the_other(text)
