"""ChatGLM2-6B and ChatGLM3-6B: fast, and equal to sentencepiece."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from instructglm.core.errors import ModelError
from instructglm.models.tokenization import ChatGLM2Tokenizer, ChatGLM3Tokenizer

_WRITTEN = [
    "<|user|>",
    "sop",
    "eop",
    "[gMASK]",
    "</s>",
    "<unk>",
    "<s>",
    "<0x0A>",
    "▁",
    " ",
    "  ",
    "\n",
    "a",
    "哈",
    "，",
]
_TEXTS = st.text(max_size=40) | st.lists(st.sampled_from(_WRITTEN)).map("".join)


@pytest.fixture(scope="module", params=[ChatGLM2Tokenizer, ChatGLM3Tokenizer])
def tokenizer(request: pytest.FixtureRequest, small_chatglm3: Path):
    return request.param.from_pretrained(small_chatglm3)


@pytest.fixture(scope="module")
def model(small_chatglm3: Path):
    return sentencepiece.SentencePieceProcessor(model_file=str(small_chatglm3 / "tokenizer.model"))


@given(text=_TEXTS)
def test_ids_are_those_of_sentencepiece(tokenizer, model, text: str) -> None:
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == model.encode(text)


@given(ids=st.lists(st.integers(3, 518), max_size=15) | st.lists(st.integers(3, 258), max_size=15))
def test_decoding_is_that_of_sentencepiece(tokenizer, model, ids: list[int]) -> None:
    ids = [token for token in ids if token < model.get_piece_size()]
    assert tokenizer.decode(ids) == model.decode(ids)


@given(text=_TEXTS.filter(lambda text: "▁" not in text))  # stands for a blank in these vocabularies
def test_texts_come_back(tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False), skip_special_tokens=True) == text


@pytest.fixture(scope="module")
def real_file(shared_tokenizers: Path) -> str:
    return str(shared_tokenizers / "chatglm3-6b" / "tokenizer.model")


@pytest.fixture(scope="module")
def real(real_file: str):
    return ChatGLM3Tokenizer(vocab_file=real_file)


@pytest.fixture(scope="module")
def real_model(real_file: str):
    return sentencepiece.SentencePieceProcessor(model_file=real_file)


@pytest.mark.parametrize("character", ["a", "哈", " ", "=", "\n"])
def test_the_real_vocabulary_equals_sentencepiece_on_runs(real, real_model, character: str) -> None:
    for length in range(1, 60):
        assert real.encode(character * length, add_special_tokens=False) == real_model.encode(character * length)


def test_the_real_vocabulary_equals_sentencepiece_on_real_texts(real, real_model, shared_data: Path) -> None:
    file = shared_data / "instructions" / "alpaca_zh_checked_3k.jsonl"
    for line in file.read_text(encoding="utf-8").splitlines()[:500]:
        ids = real.encode(line, add_special_tokens=False)
        assert ids == real_model.encode(line)
        assert real.decode(ids) == real_model.decode(ids)


def test_written_control_tokens_stay_text_unless_asked_for(tokenizer) -> None:
    text = "sop[gMASK]</s>"
    assert not set(tokenizer.encode(text, add_special_tokens=False)) & set(tokenizer.all_special_ids)
    asked = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=False)
    assert asked == [tokenizer.sop_token_id, tokenizer.gmask_token_id, tokenizer.eos_token_id]
    assert not set(tokenizer.encode(text, add_special_tokens=False)) & set(tokenizer.all_special_ids)


def test_markers_stand_in_front_and_an_answer_is_ended(tokenizer) -> None:
    question, answer = (tokenizer.encode(text, add_special_tokens=False) for text in ("capital?", "Paris"))
    front = [tokenizer.gmask_token_id, tokenizer.sop_token_id, *question]
    assert tokenizer("capital?")["input_ids"] == front
    assert tokenizer("capital?", "Paris")["input_ids"] == [*front, *answer, tokenizer.eos_token_id]


def test_padding_is_on_the_left_unless_told_otherwise(tokenizer) -> None:
    short, long = tokenizer(["a", "the quick brown fox"], padding=True)["input_ids"]
    assert short == [0] * (len(long) - len(tokenizer("a")["input_ids"])) + tokenizer("a")["input_ids"]
    assert tokenizer(["a", "the fox"], padding=True, padding_side="right")["input_ids"][0][-1] == 0


def test_a_line_end_beside_half_a_character_survives(tokenizer) -> None:
    names = ["<0xE4>", "<0xBD>", "<0x0A>", "<0x41>"]
    assert tokenizer.decode(tokenizer.convert_tokens_to_ids(names)) == "\ufffd\ufffd\nA"


def test_rows_of_the_embedding_without_a_token_decode_to_nothing(tokenizer) -> None:
    assert tokenizer.decode([len(tokenizer), len(tokenizer) + 200]) == ""


def test_saved_it_is_the_same(tokenizer, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    again = type(tokenizer).from_pretrained(tmp_path)
    for text in ("a <|user|> sop</s>", "你好\n\tx"):
        assert again(text, text) == tokenizer(text, text)
        assert again.encode(text, split_special_tokens=False) == tokenizer.encode(text, split_special_tokens=False)
    assert again.all_special_ids == tokenizer.all_special_ids
    assert again.padding_side == "left"
    assert (tmp_path / "tokenizer.model").exists()
    turns = [{"role": "user", "content": "hi"}]
    assert again.apply_chat_template(turns) == tokenizer.apply_chat_template(turns)


def test_tokenizer_json_alone_is_enough(tokenizer, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.model").unlink()
    assert type(tokenizer).from_pretrained(tmp_path)("你好") == tokenizer("你好")


def test_a_vocabulary_of_another_kind_is_refused(small_chatglm: Path) -> None:
    with pytest.raises(ModelError, match="of another kind"):
        ChatGLM3Tokenizer(vocab_file=str(small_chatglm / "ice_text.model"))


def test_other_control_tokens_are_refused(small_chatglm3: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small_chatglm3, tmp_path / "changed"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"gmask_token": "[MASK]"}))
    with pytest.raises(ModelError, match=r"gmask_token is \[MASK\]; this model has \[gMASK\]"):
        ChatGLM3Tokenizer.from_pretrained(folder)
