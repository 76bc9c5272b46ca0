from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from instructglm.core.errors import ModelError
from instructglm.models.tokenization import ChatGLMTokenizer
from instructglm.models.tokenization.whitespace import named, restored

_WRITTEN = [
    "<sop>",
    "<eop>",
    "[MASK]",
    "[gMASK]",
    "<pad>",
    "<unk>",
    "</s>",
    "<s>",
    " ",
    "  ",
    "\n",
    "a",
    "你好",
    "，",
    "!",
]


@pytest.fixture(scope="module")
def tokenizer(small_chatglm: Path):
    return ChatGLMTokenizer.from_pretrained(small_chatglm)


@pytest.fixture(scope="module")
def model(small_chatglm: Path):
    processor = sentencepiece.SentencePieceProcessor()
    processor.Load(str(small_chatglm / "ice_text.model"))
    return processor


@given(text=st.text(max_size=40) | st.lists(st.sampled_from(_WRITTEN)).map("".join))
def test_ids_are_those_of_sentencepiece(tokenizer, model, text: str) -> None:
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == model.encode(named(text))


@given(text=st.lists(st.sampled_from(_WRITTEN)).map("".join))
def test_written_control_tokens_stay_text(tokenizer, text: str) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert not set(ids) & (set(tokenizer.all_special_ids) - {tokenizer.unk_token_id})


@given(ids=st.lists(st.integers(0, 619), max_size=15))
def test_decoding_is_that_of_sentencepiece_without_padding(tokenizer, model, ids: list[int]) -> None:
    ids = [token for token in ids if token < len(tokenizer)]
    expected = restored(model.decode([token for token in ids if token != tokenizer.pad_token_id]))
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == expected


def test_control_tokens_where_they_are_asked_for(tokenizer) -> None:
    ids = tokenizer.encode("a  [MASK]\nb<eop>[gMASK]", add_special_tokens=False, split_special_tokens=False)
    ends = [tokenizer.encode(text, add_special_tokens=False) for text in ("a", "b", "[gMASK]")]
    assert ids == [*ends[0], tokenizer.mask_token_id, *ends[1], tokenizer.eos_token_id, *ends[2]]


def test_the_context_ends_with_gmask_and_sop(tokenizer) -> None:
    question, answer = (tokenizer.encode(text, add_special_tokens=False) for text in ("capital?", "Paris"))
    front = [*question, tokenizer.gmask_token_id, tokenizer.sop_token_id]
    assert tokenizer("capital?")["input_ids"] == front
    pair = tokenizer("capital?", "Paris", return_special_tokens_mask=True)
    assert pair["input_ids"] == [*front, *answer, tokenizer.eop_token_id]
    assert pair["special_tokens_mask"] == [*[0] * len(question), 1, 1, *[0] * len(answer), 1]
    assert tokenizer.num_special_tokens_to_add(pair=True) == 3


def test_truncation_keeps_the_markers(tokenizer) -> None:
    cut = tokenizer("the quick brown fox jumps", truncation=True, max_length=6)["input_ids"]
    assert len(cut) == 6
    assert cut[-2:] == [tokenizer.gmask_token_id, tokenizer.sop_token_id]


@pytest.mark.parametrize("side", ["left", "right", None])
def test_padding_is_on_the_left_unless_told_otherwise(tokenizer, side: str | None) -> None:
    texts = ["a", "the quick brown fox"]
    padded = tokenizer(texts, padding=True, padding_side=side, return_tensors="pt")
    for text, ids, mask in zip(texts, padded["input_ids"], padded["attention_mask"], strict=True):
        assert ids[mask.bool()].tolist() == tokenizer(text)["input_ids"]
        assert set(ids[~mask.bool()].tolist()) <= {tokenizer.pad_token_id}
    assert padded["attention_mask"][0][0 if side == "right" else -1] == 1
    assert padded["attention_mask"][0][-1 if side == "right" else 0] == 0


def test_rows_of_the_embedding_without_a_piece_decode_to_nothing(tokenizer) -> None:
    assert tokenizer.decode([len(tokenizer) + 3]) == tokenizer.decode(len(tokenizer)) == ""


def test_blanks_before_punctuation_are_removed_unless_told_otherwise(tokenizer) -> None:
    ids = tokenizer.encode("yes , no", add_special_tokens=False)
    assert tokenizer.decode(ids) == "yes, no"
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == "yes , no"


def test_saved_it_is_the_same(tokenizer, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    again = ChatGLMTokenizer.from_pretrained(tmp_path)
    for text in ("a <sop>  b", "你好\n\tx"):
        assert again(text) == copy.deepcopy(tokenizer)(text) == tokenizer(text)
        assert again.encode(text, split_special_tokens=False) == tokenizer.encode(text, split_special_tokens=False)
    assert again.get_vocab() == tokenizer.get_vocab()
    assert again.all_special_ids == tokenizer.all_special_ids
    assert "auto_map" not in json.loads((tmp_path / "tokenizer_config.json").read_text())


def test_auto_tokenizer_reads_what_is_saved(tokenizer, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from instructglm.models.chatglm.configuration import ChatGLMConfig

    tokenizer.save_pretrained(tmp_path)
    ChatGLMConfig().save_pretrained(tmp_path)
    assert type(AutoTokenizer.from_pretrained(tmp_path)) is ChatGLMTokenizer


@pytest.mark.parametrize(
    ("field", "value", "named_in_message"),
    [
        ("num_image_tokens", 20000, "150528"),
        ("eos_token", "</s>", "eos_token is </s>; this model has <eop>"),
        ("gmask_token", "[MASK]", "gmask_token"),
        ("do_lower_case", True, "do_lower_case"),
        ("added_tokens_decoder", {"77": {"content": "<eop>", "special": True}}, "<eop> has the id 77"),
    ],
)
def test_settings_of_another_vocabulary_are_refused(
    small_chatglm: Path, tmp_path: Path, field: str, value: object, named_in_message: str
) -> None:
    folder = Path(shutil.copytree(small_chatglm, tmp_path / "changed"))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {field: value}))
    with pytest.raises(ModelError, match="8b7d335") as refusal:
        ChatGLMTokenizer.from_pretrained(folder)
    assert named_in_message in str(refusal.value)


def test_a_vocabulary_without_control_tokens_is_refused(small_chatglm3: Path) -> None:
    with pytest.raises(ModelError, match=r"no control token <sop>, <eop>"):
        ChatGLMTokenizer(vocab_file=str(small_chatglm3 / "tokenizer.model"))


def test_the_vocabulary_cannot_grow(tokenizer) -> None:
    with pytest.raises(ModelError, match="no control token <new>, and cannot be extended"):
        tokenizer.add_special_tokens({"additional_special_tokens": ["<new>"]})
    with pytest.raises(ModelError, match="cannot be extended"):
        tokenizer.add_tokens(["word"])


def test_another_sentencepiece_is_warned_of(small_chatglm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentencepiece, "__version__", "0.2.3")
    with pytest.warns(UserWarning, match=r"install sentencepiece 0\.2\.1"):
        ChatGLMTokenizer(vocab_file=str(small_chatglm / "ice_text.model"))
