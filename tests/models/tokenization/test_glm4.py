from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.core.errors import ModelError
from instructglm.models.tokenization import ChatGLM4Tokenizer

tiktoken = pytest.importorskip("tiktoken", reason="tiktoken, which the official code uses, is not installed")
_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_WRITTEN = [
    "<|user|>",
    "[gMASK]",
    "<sop>",
    "<|endoftext|>",
    "'S",
    "'ll",
    " ",
    "  ",
    "\r\n",
    "1234",
    "好",
    "!!",
    "é",
    "fox",
]
_TEXTS = st.text(max_size=40) | st.lists(st.sampled_from(_WRITTEN)).map("".join)


@pytest.fixture(scope="module")
def tokenizer(small_glm4: Path):
    return ChatGLM4Tokenizer.from_pretrained(small_glm4)


@pytest.fixture(scope="module")
def official(small_glm4: Path):
    lines = [line.split() for line in (small_glm4 / "tokenizer.model").read_text().splitlines()]
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    return tiktoken.Encoding(name="glm4", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={})


@given(text=_TEXTS)
def test_ids_are_those_of_tiktoken(tokenizer, official, text: str) -> None:
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == official.encode(text)


@given(text=_TEXTS)
def test_texts_come_back(tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text), skip_special_tokens=True) == text


def test_control_tokens_follow_the_vocabulary_in_the_official_order(tokenizer, official) -> None:
    expected = [
        "<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>",
        "<|observation|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>",
    ]  # fmt: skip
    assert tokenizer.convert_tokens_to_ids(expected) == [official.n_vocab + place for place in range(len(expected))]
    assert tokenizer.stop_token_ids == tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|user|>", "<|observation|>"])
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == official.n_vocab


def test_saved_it_is_the_same(tokenizer, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    again = ChatGLM4Tokenizer.from_pretrained(tmp_path)
    assert again("hi <|user|> 你好") == tokenizer("hi <|user|> 你好")
    assert again.all_special_ids == tokenizer.all_special_ids


def test_declared_ids_have_to_be_those_of_the_vocabulary(small_glm4: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small_glm4, tmp_path / "changed"))
    declared = {"added_tokens_decoder": {"77": {"content": "<|endoftext|>", "special": True}}}
    (folder / "tokenizer_config.json").write_text(json.dumps(declared))
    with pytest.raises(ModelError, match=r"<\|endoftext\|> has the id 77"):
        ChatGLM4Tokenizer.from_pretrained(folder)


def test_a_vocabulary_that_is_cut_off_is_refused(small_glm4: Path, tmp_path: Path) -> None:
    lines = (small_glm4 / "tokenizer.model").read_text().splitlines(keepends=True)
    (tmp_path / "tokenizer.model").write_text("".join(lines[5:]))
    with pytest.raises(ModelError, match="ranks are not 0 to"):
        ChatGLM4Tokenizer.from_pretrained(tmp_path)
    (tmp_path / "tokenizer.model").write_text("".join(lines[:-1]) + "5p2")
    with pytest.raises(ModelError, match="base64 token and its rank"):
        ChatGLM4Tokenizer.from_pretrained(tmp_path)
