"""Earlier answers: each is trained once, wherever its conversation recurs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from instructglm.core.records import Example, Message
from instructglm.data.earlier_answers import EarlierAnswers


def conversation(*texts: str) -> tuple[Message, ...]:
    roles = ("user", "assistant")
    return tuple(Message(role=roles[place % 2], content=text) for place, text in enumerate(texts))


WHOLE = conversation("q1", "a1", "q2", "a2", "q3")


def untrained(*prompts: tuple[Message, ...]) -> list[list[int]]:
    examples = [Example.of(messages, ["x"]) for messages in prompts]
    earlier = EarlierAnswers(examples)
    found = []
    for example in examples:
        found.append(sorted(earlier.trained_elsewhere(example.messages)))
        earlier.note(example.messages)
    return found


def test_a_conversation_that_stands_alone_trains_all_its_answers():
    assert untrained(WHOLE) == [[]]
    assert untrained(WHOLE, conversation("other", "a1", "q2")) == [[], []]


def test_one_row_per_answer_trains_each_in_its_own_row_in_any_order():
    rows = [WHOLE[:1], WHOLE[:3], WHOLE]
    assert untrained(*rows) == [[], [1], [1, 3]]
    assert untrained(*reversed(rows)) == [[1, 3], [1], []]


def test_several_ways_to_go_on_train_what_they_share_in_the_first():
    assert untrained(WHOLE, conversation("q1", "a1", "q2", "another", "q3")) == [[], [1]]


def test_another_system_message_is_another_prompt():
    system = (Message(role="system", content="Be brief."),)
    assert untrained(WHOLE, (*system, *WHOLE)) == [[], []]


def test_what_is_not_kept_trains_nothing():
    other = conversation("q1", "a1", "q2", "another", "q3")
    earlier = EarlierAnswers([Example.of(WHOLE, ["x"]), Example.of(other, ["x"])])
    assert earlier.trained_elsewhere(other) == frozenset()  # the first was too long, and was never noted


ROWS = st.lists(
    st.lists(st.sampled_from("ab"), min_size=1, max_size=7).filter(lambda texts: len(texts) % 2), max_size=6
)


@given(ROWS)
def test_whatever_the_rows_no_answer_is_trained_twice(rows):
    prompts = list(dict.fromkeys(conversation(*texts) for texts in rows))
    trained = []
    for messages, left_out in zip(prompts, untrained(*prompts), strict=True):
        trained += [messages[: place + 1] for place in range(1, len(messages), 2) if place not in left_out]
    assert len(trained) == len(set(trained))
    assert not {messages[:-1] for messages in trained} & set(prompts)
