"""Tiny presets: real kinds of model and tokenizer, made on first use, the same every time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from instructglm.core.errors import ConfigError
from instructglm.core.ids import file_hash
from instructglm.data.templates import template_for
from instructglm.models.loading import load
from instructglm.models.presets import PRESETS, preset_folder

TEXTS = ["Paris.", "巴黎在哪里?", "two\nlines\tand a tab", "a    b", "naïve Ωμέγα кот", "🙂🧮", "\x07 bell"]
TEMPLATE = {"chatglm-tiny": "chatglm", "glm-tiny": "glm4"}


@pytest.fixture(scope="module", params=sorted(PRESETS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def loaded(name: str):
    return load(name)


def files_of(folder: Path) -> dict[str, str]:
    return {file.name: file_hash(file) for file in folder.iterdir()}


def test_it_is_made_once(name: str) -> None:
    folder = preset_folder(name)
    changed = (folder / "model.safetensors").stat().st_mtime_ns
    assert preset_folder(name) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == changed


def test_made_anew_it_is_the_same_and_leaves_random_numbers_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = preset_folder(name)
    monkeypatch.setenv("INSTRUCTGLM_CACHE", str(tmp_path))
    state = torch.get_rng_state()
    second = preset_folder(name)
    assert tmp_path in second.parents
    assert second.name == first.name
    assert files_of(second) == files_of(first)
    assert torch.equal(torch.get_rng_state(), state)


def test_it_is_tiny_and_of_two_layers(loaded) -> None:
    model, tokenizer = loaded
    assert model.config.num_hidden_layers == 2
    assert model.num_parameters() < 1_000_000
    assert len(tokenizer) <= model.config.vocab_size < len(tokenizer) + 64


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_is_covered(loaded, text: str) -> None:
    _, tokenizer = loaded
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.unk_token_id is None or tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids).split() == text.replace("\x07", "").split() or tokenizer.decode(ids) == text


def test_words_of_its_sentences_are_not_spelled_in_letters(loaded) -> None:
    _, tokenizer = loaded
    text = "The capital of France is Paris. 请回答问题。"
    assert len(tokenizer(text, add_special_tokens=False)["input_ids"]) < len(text)


def test_it_talks_in_the_format_of_its_family(name: str, loaded) -> None:
    _, tokenizer = loaded
    assert template_for(tokenizer).name == TEMPLATE[name]


def test_it_answers_and_learns(loaded) -> None:
    model, tokenizer = loaded
    question = [{"role": "user", "content": "你好"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt")["input_ids"]
    answer = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=5, do_sample=False)
    assert prompt.shape[1] < answer.shape[1] <= prompt.shape[1] + 5
    model(input_ids=answer, labels=answer).loss.backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())
    model.zero_grad()


def test_a_slip_of_the_name_gets_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="unknown preset 'chatglm-tny'") as caught:
        preset_folder("chatglm-tny")
    assert "chatglm-tiny" in caught.value.hint


def test_their_names_are_known_without_torch() -> None:
    code = "import sys, instructglm.models.presets; print(any(m in sys.modules for m in ('torch', 'transformers')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
