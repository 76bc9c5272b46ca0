"""Batches: every label survives padding, its logits are made once, and like goes with like."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import GlmConfig, GlmForCausalLM

from instructglm.core.ledger import Ledger
from instructglm.core.records import Example, Message
from instructglm.data.features import Feature, encode_examples
from instructglm.data.templates import IGNORE_INDEX, Encoded, template_for
from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.chatglm.modeling import ChatGLMForCausalLM
from instructglm.training.batches import collate, flatten, micro_batches, pack
from instructglm.training.loss import weighted_count, weighted_nats

PAD = 0


def turns(*parts: tuple[int, bool]) -> Encoded:
    """A sequence of parts of some length, trained or not; the ids count from 1."""
    ids = list(range(1, 1 + sum(length for length, _ in parts)))
    marks = [trained for length, trained in parts for _ in range(length)]
    labels = [token if mark else IGNORE_INDEX for token, mark in zip(ids, marks, strict=True)]
    return Encoded(ids, labels, len(ids) - parts[-1][0])


# question and answer by turns, of which every answer is trained (ChatGLM3) or only the last one
PART = st.tuples(st.integers(1, 6), st.integers(1, 6), st.booleans())
CONVERSATION = st.lists(PART, min_size=1, max_size=4).map(
    lambda rounds: turns(
        *(part for asked, said, trained in rounds for part in ((asked, False), (said, trained))), (1, True)
    )
)


def shown(batch, row: int) -> list[tuple[int, int]]:
    """Column and label of what is trained in a row, as the loss sees it: logits of a column predict the next id."""
    width = batch.input_ids.shape[1]
    pairs = zip(batch.predicting.tolist(), batch.labels.tolist(), strict=True)
    return [(place % width + 1, label) for place, label in pairs if place // width == row]


@given(st.lists(CONVERSATION, min_size=1, max_size=5), st.sampled_from(["left", "right"]))
def test_every_label_stands_at_its_id_and_none_is_lost(conversations, side):
    batch = collate([(encoded, 1.0) for encoded in conversations], PAD, side=side)
    for row, encoded in enumerate(conversations):
        found = shown(batch, row)
        assert [label for _, label in found] == [label for label in encoded.labels if label != IGNORE_INDEX]
        assert all(batch.input_ids[row, column] == label for column, label in found)
    assert batch.num_trained() == sum(label != IGNORE_INDEX for one in conversations for label in one.labels)


@given(st.lists(CONVERSATION, min_size=1, max_size=9), st.integers(1, 4))
def test_micro_batches_hold_every_sequence_once(conversations, size):
    features = [
        Feature(str(place), encoded, [[7] * (1 + place % 2)] * (1 + place % 3), [1.0 + place] * (1 + place % 3))
        for place, encoded in enumerate(conversations)
    ]
    expected = sorted(weight for feature in features for encoded, weight in feature.sequences() for _ in [encoded])
    padded = micro_batches(features, size, PAD, packed=False)
    assert all(len(batch.input_ids) <= size for batch in padded)
    assert sum(len(batch.input_ids) for batch in padded) == len(expected)
    packed = micro_batches(features, size, PAD, packed=True)
    held = [[len(one.outputs) for one in batch.segments.examples] for batch in packed]
    assert all(sum(row) <= size or len(row) == 1 for row in held)
    assert sum(map(sum, held)) == len(expected)
    assert weighted_count(packed) == pytest.approx(weighted_count(padded))


@given(st.lists(CONVERSATION, min_size=1, max_size=9), st.integers(1, 60), st.sampled_from([None, 3]))
def test_a_forward_pass_holds_so_many_tokens_or_one_prompt(conversations, most, size):
    features = [
        Feature(str(place), encoded, [[7] * (1 + place % 2)] * (1 + place % 3), [1.0] * (1 + place % 3))
        for place, encoded in enumerate(conversations)
    ]
    packed = micro_batches(features, size, PAD, packed=True, max_tokens=most)
    padded = micro_batches(features, size, PAD, packed=False, max_tokens=most)
    assert all(batch.num_tokens() <= most or len(batch.segments.examples) == 1 for batch in packed)
    assert all(batch.input_ids.numel() <= most or len(batch.input_ids) == 1 for batch in padded)
    assert sum(batch.num_tokens() for batch in packed) == sum(feature.num_tokens for feature in features)
    assert sum(len(batch.input_ids) for batch in padded) == sum(len(feature.outputs) for feature in features)
    assert len(micro_batches(features, None, PAD, packed=True)) == 1


@given(st.lists(CONVERSATION, min_size=1, max_size=5))
def test_a_packed_row_holds_every_prompt_once_and_every_label(conversations):
    features = [
        Feature(str(n), encoded, [[90 + n, 7], [80 + n]], [0.25, 0.75]) for n, encoded in enumerate(conversations)
    ]
    batch = pack(features)
    row, positions = batch.input_ids[0].tolist(), batch.position_ids[0].tolist()
    start = 0
    for n, feature in enumerate(features):
        length = len(feature.context.input_ids)
        assert row[start : start + length + 3] == [*feature.context.input_ids, 90 + n, 7, 80 + n]
        assert positions[start : start + length + 3] == [*range(length), length, length + 1, length]
        found = [
            (place - start, label, weight)
            for place, label, weight in zip(
                batch.predicting.tolist(), batch.labels.tolist(), batch.weights.tolist(), strict=True
            )
            if start <= place < start + length + 3
        ]
        earlier = [(i - 1, x, 1.0) for i, x in enumerate(feature.context.labels) if x != IGNORE_INDEX]
        last = length - 1
        assert found == [*earlier, (last, 90 + n, 0.25), (length, 7, 0.25), (last, 80 + n, 0.75)]
        start += length + 3
    assert start == batch.num_tokens() == len(row)


def test_positions_count_real_tokens():
    batch = collate([(turns((1, False), (2, True)), 1.0), (turns((4, False), (1, True)), 1.0)], PAD, side="left")
    assert batch.position_ids.tolist() == [[0, 0, 0, 1, 2], [0, 1, 2, 3, 4]]
    assert torch.equal(batch.attention_mask, torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]))


@pytest.mark.parametrize("packed", [True, False])
def test_an_earlier_answer_is_trained_once_however_many_outputs_follow(packed):
    context = turns((3, False), (4, True), (2, False))
    one = Feature("a", context, [[7, 8]], [1.0])
    three = Feature("b", context, [[7, 8], [9, 8], [5, 8]], [0.5, 0.25, 0.25])
    for feature in (one, three):
        assert weighted_count(micro_batches([feature], 2, PAD, packed=packed)) == pytest.approx(4 + 2)


@pytest.mark.parametrize("name", ["chatglm_tokenizer", "glm4_tokenizer"])
@pytest.mark.parametrize("attention", ["shared_prefix", "sdpa", "eager"])
@pytest.mark.parametrize("packed", [True, False])
def test_packed_or_padded_the_loss_is_the_models_own(request, name, packed, attention):
    """ChatGLM-6B reads contexts both ways; GLM-4's are trained in part."""
    tokenizer = request.getfixturevalue(name)
    conversation = [
        Message(role="user", content="Hi, 你好?"),
        Message(role="assistant", content="Hello."),
        Message(role="user", content="And you?"),
    ]
    examples = [Example.of(conversation[:length], ["Fine, thank you.", "好"]) for length in (1, 3)]
    features = encode_examples(examples, template_for(tokenizer), max_length=200, overlong="refuse", ledger=Ledger())
    model = _model(tokenizer)
    with torch.no_grad():
        theirs = sum(weight * _nats(model, encoded) for encoded, weight in flatten(features))
        model.set_attn_implementation(attention)
        batches = micro_batches(features, 3, tokenizer.pad_token_id, packed=packed)
        ours = sum(weighted_nats(model, batch).item() for batch in batches)
    assert ours == pytest.approx(theirs, rel=1e-5)


def _nats(model, encoded: Encoded) -> float:
    """By the model's own loss, one sequence alone."""
    loss = model(input_ids=torch.tensor([encoded.input_ids]), labels=torch.tensor([encoded.labels])).loss
    return loss.item() * sum(label != IGNORE_INDEX for label in encoded.labels)


def _model(tokenizer):
    torch.manual_seed(0)
    if tokenizer.bos_token_id is not None:
        return ChatGLMForCausalLM(
            ChatGLMConfig(hidden_size=32, num_layers=2, num_attention_heads=2, inner_hidden_size=64)
        ).eval()
    return GlmForCausalLM(
        GlmConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, head_dim=16,
            num_attention_heads=2, num_key_value_heads=1, pad_token_id=tokenizer.pad_token_id,
        )
    ).eval()  # fmt: skip
