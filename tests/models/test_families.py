"""Which generation a folder holds, by what the published ones say of themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from instructglm.core.errors import ModelError
from instructglm.models.families import family_of, tokenizer_family_of

FIRST = {
    "model_type": "chatglm",
    "hidden_size": 4096,
    "inner_hidden_size": 16384,
    "position_encoding_2d": True,
    "vocab_size": 130528,
}
LATER = {"model_type": "chatglm", "multi_query_group_num": 2, "padded_vocab_size": 65024, "kv_channels": 128}
GLM4 = LATER | {"padded_vocab_size": 151552, "rope_ratio": 500, "layernorm_epsilon": 1.5625e-07}
CODE = "modeling_chatglm.py"


@pytest.mark.parametrize(
    ("config", "family"),
    [
        (FIRST | {"_name_or_path": "THUDM/chatglm-6b"}, "chatglm"),
        (FIRST | {"_name_or_path": "/models/chatglm2-vs-chatglm3/mine"}, "chatglm"),
        (LATER | {"_name_or_path": "THUDM/chatglm2-6b"}, "chatglm2"),
        (LATER | {"_name_or_path": "THUDM/chatglm2-6b-32k", "rope_ratio": 8}, "chatglm2"),
        (LATER | {"_name_or_path": "THUDM/codegeex2-6b", "rotary_percent": 0.5}, "chatglm2"),
        (LATER | {"_name_or_path": "THUDM/chatglm3-6b"}, "chatglm3"),
        (LATER | {"_name_or_path": "THUDM/chatglm3-6b-32k", "rope_ratio": 50}, "chatglm3"),
        (LATER | {"_name_or_path": "/data/ChatGLM3_6B-base"}, "chatglm3"),
        (LATER | {"auto_map": {"AutoModel": "THUDM/chatglm2-6b--modeling_chatglm.ChatGLM"}}, "chatglm2"),
        (GLM4, "glm4_remote"),
        (GLM4 | {"_name_or_path": "THUDM/codegeex4-all-9b"}, "glm4_remote"),
        (GLM4 | {"_name_or_path": "/tuned/from-chatglm3", "padded_vocab_size": 168960}, "glm4_remote"),
        (LATER | {"rope_ratio": 50, "chatglm_version": "chatglm2", "_name_or_path": "chatglm3-6b"}, "chatglm2"),
        ({"model_type": "glm"}, "other"),
        ({"model_type": "glm4"}, "other"),
        ({"model_type": "llama"}, "other"),
    ],
)
def test_the_published_models_are_known_by_their_configs(config, family):
    assert family_of(config) == family


@pytest.mark.parametrize(
    ("file", "text", "family"),
    [
        ("tokenizer_config.json", '{"name_or_path": "THUDM/chatglm2-6b", "tokenizer_class": "x"}', "chatglm2"),
        ("tokenizer_config.json", '{"name_or_path": "THUDM/chatglm3-6b"}', "chatglm3"),
        (CODE, "        base = base * self.rope_ratio\n", "chatglm3"),
        (CODE, "seq_idx = torch.arange(seq_len, dtype=dtype, device=device) / self.rope_ratio", "chatglm2"),
        ("tokenization_chatglm.py", 'role_special_tokens = ["<|system|>", "<|observation|>"]', "chatglm3"),
        ("tokenization_chatglm.py", "    def build_prompt(self, query, history=None):", "chatglm2"),
        ("tokenization_chatglm.py", "import tiktoken  # <|observation|>", "glm4_remote"),
    ],
)
def test_where_the_config_says_too_little_the_folder_is_read(tmp_path, file, text, family):
    (tmp_path / file).write_text(text)
    assert family_of(LATER | {"rope_ratio": 8}, tmp_path) == family
    assert tokenizer_family_of(LATER, tmp_path) == family


def test_a_folders_own_name_is_the_last_sign(tmp_path):
    folder = tmp_path / "my-chatglm2-6b-32k"
    folder.mkdir()
    assert family_of(LATER | {"rope_ratio": 8}, folder) == "chatglm2"
    assert family_of(LATER | {"rope_ratio": 8, "_name_or_path": "chatglm3-6b-32k"}, folder) == "chatglm3"


def test_where_both_compute_alike_no_sign_is_needed(tmp_path):
    assert family_of(LATER, tmp_path) == "chatglm3"
    assert family_of(LATER | {"rope_ratio": 1}, tmp_path) == "chatglm3"


@pytest.mark.parametrize(
    "name", [None, "/models/chatglm2-and-chatglm3", "/runs/chatglm-2024-05-01", "chatglm-4bit", "chatglm_32k"]
)
def test_nothing_is_guessed_where_they_differ(tmp_path, name):
    with pytest.raises(ModelError, match="chatglm_version") as caught:
        family_of(LATER | {"rope_ratio": 8, "_name_or_path": name}, tmp_path)
    assert str(tmp_path / "config.json") in caught.value.faults[0]
    with pytest.raises(ModelError, match="chatglm_version"):  # their chat formats always differ
        tokenizer_family_of(LATER | {"_name_or_path": name}, tmp_path)


def test_a_chatglm_without_its_fields_and_a_wrong_word_are_refused():
    with pytest.raises(ModelError, match="inner_hidden_size"):
        family_of({"model_type": "chatglm"})
    with pytest.raises(ModelError, match="chatglm_version is 'v2'; expected one of chatglm, chatglm2, chatglm3"):
        family_of(LATER | {"chatglm_version": "v2"})


def test_the_real_files_are_known(shared_tokenizers: Path):
    for folder, family in (("chatglm-6b", "chatglm"), ("chatglm3-6b", "chatglm3")):
        place = shared_tokenizers / folder
        config = json.loads((place / "config.json").read_text())
        assert family_of(config, place) == family
        assert tokenizer_family_of(config, place) == family


def test_a_tokenizer_without_a_config_is_known_by_its_files(tmp_path):
    assert tokenizer_family_of({}, tmp_path) == "other"
    (tmp_path / "tokenizer_config.json").write_text('{"name_or_path": "THUDM/chatglm3-6b"}')
    assert tokenizer_family_of({}, tmp_path) == "chatglm3"
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "ChatGLMTokenizer"}')
    with pytest.raises(ModelError, match="ChatGLM2 or ChatGLM3"):
        tokenizer_family_of({}, tmp_path)
    (tmp_path / "ice_text.model").touch()
    assert tokenizer_family_of({}, tmp_path) == "chatglm"


def test_a_converted_model_keeps_the_tokenizer_of_its_generation(tmp_path):
    assert tokenizer_family_of({"model_type": "glm", "chatglm_version": "chatglm2"}, tmp_path) == "chatglm2"
    assert tokenizer_family_of({"model_type": "glm"}, tmp_path) == "other"
