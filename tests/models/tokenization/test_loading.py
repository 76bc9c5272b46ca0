from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from instructglm.core.errors import ModelError
from instructglm.models.tokenization import TOKENIZERS, tokenizer_of

_FOLDERS = {
    "chatglm": "small_chatglm",
    "chatglm2": "small_chatglm3",
    "chatglm3": "small_chatglm3",
    "glm4_remote": "small_glm4",
}


@pytest.fixture(params=list(_FOLDERS))
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def folder(request: pytest.FixtureRequest, family: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(request.getfixturevalue(_FOLDERS[family]), tmp_path / "model"))


@pytest.fixture
def vocabulary(family: str, folder: Path) -> Path:
    return folder / ("ice_text.model" if family == "chatglm" else "tokenizer.model")


def test_each_family_has_its_class_and_template(family: str, folder: Path) -> None:
    tokenizer = tokenizer_of(folder, family)
    assert type(tokenizer) is TOKENIZERS[family]
    assert tokenizer.template_name == family.removesuffix("_remote")
    tokenizer.save_pretrained(folder / "saved")
    assert tokenizer_of(folder / "saved", family)("你好") == tokenizer("你好")


def test_a_missing_vocabulary_is_named(family: str, folder: Path, vocabulary: Path) -> None:
    vocabulary.unlink()
    with pytest.raises(ModelError, match=f"no {vocabulary.name}, which holds the vocabulary"):
        tokenizer_of(folder, family)


def test_a_pointer_in_place_of_the_vocabulary_is_told(family: str, folder: Path, vocabulary: Path) -> None:
    vocabulary.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:5e97\nsize 2706249\n")
    with pytest.raises(ModelError, match="git lfs pull"):
        tokenizer_of(folder, family)


@pytest.mark.parametrize("damage", [b"", b"\x00\xff\xfe broken", b"plain text\n"])
def test_a_damaged_vocabulary_is_refused(family: str, folder: Path, vocabulary: Path, damage: bytes) -> None:
    vocabulary.write_bytes(damage)
    with pytest.raises(ModelError) as refusal:
        tokenizer_of(folder, family)
    assert str(folder) in str(refusal.value)
    assert "anew" in refusal.value.hint


def test_a_vocabulary_that_is_cut_off_is_refused(family: str, folder: Path, vocabulary: Path) -> None:
    content = vocabulary.read_bytes()
    vocabulary.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError):
        tokenizer_of(folder, family)


@pytest.mark.parametrize(("content", "says"), [("{", "this is not JSON"), ("[]", "expected an object")])
def test_damaged_settings_are_refused(family: str, folder: Path, content: str, says: str) -> None:
    (folder / "tokenizer_config.json").write_text(content)
    with pytest.raises(ModelError, match=f"tokenizer_config.json: .*{says}"):
        tokenizer_of(folder, family)


def test_ids_other_than_the_model_s_are_refused_all_at_once(family: str, folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"eos_token_id": 1, "vocab_size": 100}))
    with pytest.raises(ModelError) as refusal:
        tokenizer_of(folder, family)
    assert len(refusal.value.faults) == 2
    assert "eos_token_id" in refusal.value.faults[0]
    assert "vocab_size in config.json is 100" in refusal.value.faults[1]


def test_one_of_several_ends_is_enough(family: str, folder: Path) -> None:
    tokenizer = tokenizer_of(folder, family)
    (folder / "config.json").write_text(json.dumps({"eos_token_id": [1, tokenizer.eos_token_id]}))
    assert tokenizer_of(folder, family)("a") == tokenizer("a")


def test_our_refusal_survives_a_search_for_a_missing_package(
    small_chatglm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_installed() -> type[Exception]:
        raise ImportError("protobuf is not installed")

    monkeypatch.setattr("transformers.tokenization_utils_base.import_protobuf_decode_error", not_installed)
    folder = Path(shutil.copytree(small_chatglm, tmp_path / "old"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"num_image_tokens": 20000}))
    with pytest.raises(ModelError, match="150528"):
        tokenizer_of(folder, "chatglm")
