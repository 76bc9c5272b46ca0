"""The nearest texts are those that comparing all with all finds; what is told of them is exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.annotation.collecting.near_duplicates import NearDuplicates, Neighbour
from instructglm.annotation.collecting.shingles import NUM_READ, jaccard, overlaps, shingles
from instructglm.annotation.collecting.signatures import NUM_ORDERS, matches, sign

ENGLISH = (
    "write",
    "a",
    "poem",
    "about",
    "the",
    "sea",
    "explain",
    "why",
    "contracts",
    "need",
    "two",
    "witnesses",
    "list",
)
CHINESE = "请写一首关于春天的诗解释合同为什么需要两位证人列出三个例子计算下面的题目并说明理由"


def made_up(num: int, seed: int) -> list[str]:
    """Texts of few words and characters, so that many are somewhat alike, and every fifth almost a copy."""
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    for number in range(num):
        if number % 5 == 4:
            copied = list(texts[rng.integers(len(texts))])
            copied[rng.integers(len(copied))] = "x"
            texts.append("".join(copied))
        elif number % 2:
            texts.append(" ".join(rng.choice(ENGLISH, rng.integers(4, 20))))
        else:
            texts.append("".join(rng.choice(list(CHINESE), rng.integers(6, 40))))
    return texts


def trigrams(text: str) -> set[str]:
    """Another way to the same sets, for texts without punctuation."""
    spaced = f" {' '.join(text.split())} "
    return {spaced[start : start + 3] for start in range(len(spaced) - 2)}


def brute_force(texts: list[str], wanted: str, k: int, at_least: float) -> list[Neighbour]:
    sought = trigrams(wanted)
    found = [Neighbour(i, len(sought & trigrams(t)) / len(sought | trigrams(t))) for i, t in enumerate(texts)]
    return sorted((one for one in found if one.similarity >= at_least), key=lambda one: (-one.similarity, one.id))[:k]


def index_of(texts: list[str]) -> NearDuplicates:
    index = NearDuplicates(lambda ids: {number: texts[number] for number in ids})
    index.add(enumerate(texts))
    return index


@pytest.mark.parametrize("seed", [0, 1])
def test_the_nearest_are_those_that_brute_force_finds(seed: int) -> None:
    texts = made_up(3_000, seed)
    index = index_of(texts)
    for number in range(0, 3_000, 60):
        typed = texts[number] + " 好 x"
        assert list(index.nearest(typed, 3, at_least=0.5)) == brute_force(texts, typed, 3, 0.5)


def test_what_is_added_later_is_found_at_once() -> None:
    texts = made_up(50, 3)
    index = NearDuplicates(lambda ids: {number: texts[number] for number in ids})
    for number, text in enumerate(texts):
        index.add([(number, text)])
        assert index.nearest(text, 1)[0].similarity == 1.0
    assert len(index) == 50


def test_what_is_no_longer_in_use_is_not_told() -> None:
    texts = {1: "Write a poem about the sea.", 2: "Write a poem about the sea!"}
    index = NearDuplicates(lambda ids: {number: texts[number] for number in ids if number in texts})
    index.add(texts.items())
    del texts[1]
    assert index.nearest("write a poem about the sea") == (Neighbour(2, 1.0),)


@pytest.mark.parametrize(("at_least", "share"), [(0.7, 0.97), (0.8, 0.995)])
def test_clusters_are_those_of_all_pairs(at_least: float, share: float) -> None:
    texts = made_up(2_000, 5)
    alike = overlaps(texts) >= at_least
    seen: set[int] = set()
    expected = set()
    for start in range(len(texts)):
        group, fresh = {start}, [start]
        while fresh:
            new = set(np.flatnonzero(alike[fresh.pop()]).tolist()) - group
            group |= new
            fresh += new
        if start not in seen and len(group) > 1:
            expected.add(tuple(sorted(group)))
        seen |= group
    found = index_of(texts).clusters(at_least)
    members = {number for group in expected for number in group}
    assert len({number for group in found for number in group} & members) >= share * len(members)
    assert {number for group in found for number in group} <= members
    assert [len(group) for group in found] == sorted(map(len, found), reverse=True)


@given(st.text(), st.text())
def test_the_overlap_is_symmetric_and_1_only_of_itself(one: str, other: str) -> None:
    a, b = shingles(one), shingles(other)
    assert jaccard(a, b) == jaccard(b, a) <= 1.0
    assert jaccard(a, a) == float(len(a) > 0)
    assert overlaps([one, other])[0, 1] == pytest.approx(jaccard(a, b))


def test_the_share_of_agreeing_orders_is_the_overlap() -> None:
    rng = np.random.default_rng(0)
    for overlap in (0.2, 0.5, 0.8):
        common = round(2_000 * overlap / (1 + overlap))
        rows = []
        for _ in range(40):
            values = rng.integers(1 << 60, size=2_000 - common, dtype=np.uint64)
            one, other = np.sort(values[:1_000]), np.sort(np.concatenate([values[:common], values[1_000:]]))
            first, second = sign([one, other])
            rows.append(matches(first[None, :], second)[0] / NUM_ORDERS)
        assert np.mean(rows) == pytest.approx(overlap + (1 - overlap) / 256, abs=0.03)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Write a poem.", "write  a POEM"),
        ("请写一首诗！", "请写一首诗"),
        ("ＡＢＣ，你好", "abc,你好"),
        ("\u202eabc\u202c def", "\u202eabc\u202c  def."),
        ("a\0b", "A\0B"),
        ("...", "。。。"[:0] + "..."),
    ],
)
def test_width_case_blanks_and_punctuation_do_not_count(one: str, other: str) -> None:
    assert jaccard(shingles(one), shingles(other)) == 1.0


def test_signs_of_arithmetic_count() -> None:
    assert jaccard(shingles("Compute 3+4"), shingles("Compute 3-4")) < 1.0


@pytest.mark.parametrize("text", ["", "  \n", "\u3000"])
def test_a_blank_text_is_like_nothing(text: str) -> None:
    index = index_of(["", "a", text])
    assert len(index) == 1
    assert index.nearest(text) == ()


@pytest.mark.parametrize("text", ["\ud800", "\0", "é" * 5, "😀", "a" * 2_000_000, "\ufdfa" * NUM_READ])
def test_no_text_is_too_strange_or_too_long(text: str) -> None:
    index = index_of(["something else", text])
    assert index.nearest(text) == (Neighbour(1, 1.0),)


def test_an_empty_index_finds_nothing() -> None:
    assert index_of([]).nearest("a") == ()
    assert index_of([]).clusters() == ()
    assert index_of(["a"]).nearest("a", 0) == ()
