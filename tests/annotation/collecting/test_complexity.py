"""What an instruction asks is counted alike in Chinese and in English."""

import time

import pytest

from instructglm.annotation.collecting.complexity import complexity, complexity_by_name, word_counts

ENGLISH = "Explain why contracts need witnesses. Write at least 50 words, without legal terms. Can it be oral?"
CHINESE = "请解释合同为什么需要证人。至少写50字，不要用法律术语。可以口头订立吗？"


@pytest.mark.parametrize(("text", "constraints"), [(ENGLISH, 3), (CHINESE, 4)])
def test_questions_and_constraints_are_counted(text: str, constraints: int) -> None:
    found = complexity(text, word_counts([text]))
    assert found.num_questions == 1
    assert found.num_constraints == constraints  # Chinese: 需要 as well
    assert found.sentence_length == pytest.approx(found.num_tokens / 3)


@pytest.mark.parametrize(
    ("text", "number"),
    [("- a\n- b\n", 2), ("1. a\n2) b\n 3、丙", 3), ("一、甲\n（二）乙", 2), ("3.5 metres", 1), ("a - b", 0)],
)
def test_items_of_lists_are_counted(text: str, number: int) -> None:
    assert complexity(text, {}).num_items == number


def test_a_decimal_point_ends_no_sentence() -> None:
    assert complexity("It is 3.5 metres long", {}).sentence_length == 6.0


def test_rarity_is_the_mean_surprise_in_bits() -> None:
    counts = word_counts(["a a a b"])
    assert complexity("a", counts).rarity == pytest.approx(0.415, abs=1e-3)
    assert complexity("b", counts).rarity == 2.0
    assert complexity("a b", counts).rarity == pytest.approx((0.415 + 2.0) / 2, abs=1e-3)
    assert complexity("", counts).rarity == 0.0


def test_names_of_complexity_are_told_apart() -> None:
    easy, hard = complexity_by_name(["Add 1 and 2.", CHINESE, "Name a city."], ["easy", "hard", "easy"])
    assert (easy.complexity, easy.num_instructions, hard.num_instructions) == ("easy", 2, 1)
    assert easy.num_constraints == 0.0
    assert hard.num_constraints == 4.0
    assert hard.num_tokens > easy.num_tokens


@pytest.mark.parametrize("piece", ["\n", ".", "1", "一", " ", "- ", "between 1", "a\0", "\u202e"])
def test_a_megabyte_takes_no_longer_than_it_is_long(piece: str) -> None:
    text = piece * (1_000_000 // len(piece)) + "5x"
    started = time.perf_counter()
    complexity(text, word_counts([text]))
    assert time.perf_counter() - started < 10
