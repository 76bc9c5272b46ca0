"""Token ids, texts and prompts that the official code made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from instructglm.models.tokenization import process_response, tokenizer_of


def _read(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def chatglm(shared_tokenizers):
    return tokenizer_of(shared_tokenizers / "chatglm-6b", "chatglm")


@pytest.fixture(scope="module")
def chatglm2(shared_tokenizers):
    return tokenizer_of(shared_tokenizers / "chatglm3-6b", "chatglm2")


@pytest.fixture(scope="module")
def chatglm3(shared_tokenizers):
    return tokenizer_of(shared_tokenizers / "chatglm3-6b", "chatglm3")


def test_chatglm_gives_the_official_ids_when_asked_for_control_tokens(chatglm, shared_golden) -> None:
    for case in _read(shared_golden, "tokenization_chatglm_6b")["cases"]:
        text = case["text"]
        assert chatglm.tokenize(text, split_special_tokens=False) == case["tokens"], case["name"]
        assert chatglm.encode(text, add_special_tokens=False, split_special_tokens=False) == case["ids"], case["name"]
        assert chatglm.encode(text, split_special_tokens=False) == case["ids_with_special"], case["name"]


def test_chatglm_leaves_text_text(chatglm, shared_golden) -> None:
    for case in _read(shared_golden, "tokenization_chatglm_6b")["cases"]:
        ids = chatglm.encode(case["text"], add_special_tokens=False)
        assert ids == case["raw_ids"], case["name"]
        assert not {chatglm.bos_token_id, chatglm.eos_token_id, chatglm.mask_token_id} & set(ids)


def test_chatglm_decodes_as_the_official_code(chatglm, shared_golden) -> None:
    for case in _read(shared_golden, "tokenization_chatglm_6b")["cases"]:
        ids, with_special = case["ids"], case["ids_with_special"]
        assert chatglm.decode(ids) == case["decoded"], case["name"]
        assert chatglm.decode(ids, clean_up_tokenization_spaces=False) == case["decoded_no_cleanup"], case["name"]
        assert chatglm.decode(case["raw_ids"], clean_up_tokenization_spaces=False) == case["raw_decoded"], case["name"]
        assert chatglm.decode(with_special) == case["decoded_with_special"], case["name"]
        assert chatglm.decode(with_special, skip_special_tokens=True) == case["decoded_with_special_skip"]


def test_chatglm3_gives_the_official_ids(chatglm3, shared_golden) -> None:
    for case in _read(shared_golden, "tokenization_chatglm3_6b")["cases"]:
        assert chatglm3.tokenize(case["text"]) == case["tokens"], case["name"]
        assert chatglm3.encode(case["text"], add_special_tokens=False) == case["ids"] == case["raw_ids"], case["name"]
        assert chatglm3.encode(case["text"]) == case["ids_with_special"], case["name"]


def test_chatglm3_decodes_as_the_official_code(chatglm3, shared_golden) -> None:
    for case in _read(shared_golden, "tokenization_chatglm3_6b")["cases"]:
        assert chatglm3.decode(case["ids"]) == case["decoded"] == case["raw_decoded"], case["name"]
        assert chatglm3.decode(case["ids"], clean_up_tokenization_spaces=False) == case["decoded_no_cleanup"]
        assert chatglm3.decode(case["ids_with_special"]) == case["decoded_with_special"], case["name"]


def test_chatglm3_skips_control_tokens_as_the_official_code_and_speakers_too(chatglm3, shared_golden) -> None:
    """A stop at `<|user|>` must not be read aloud; the two at the front are shown, as they always were."""
    speakers = [chatglm3.system_token_id, chatglm3.user_token_id, chatglm3.eos_token_id]
    for case in _read(shared_golden, "tokenization_chatglm3_6b")["cases"]:
        ids = [*case["ids_with_special"], *speakers]
        assert chatglm3.decode(ids, skip_special_tokens=True) == case["decoded_with_special_skip"], case["name"]


def test_chatglm2_shares_the_vocabulary_of_chatglm3(chatglm2, shared_golden) -> None:
    for case in _read(shared_golden, "tokenization_chatglm3_6b")["cases"]:
        assert chatglm2.encode(case["text"]) == case["ids_with_special"], case["name"]
    assert len(chatglm2) == 64794
    assert (chatglm2.eos_token_id, chatglm2.pad_token_id, chatglm2.bos_token_id) == (2, 0, None)


def test_chat_prompts_of_chatglm(chatglm, shared_golden) -> None:
    for case in _read(shared_golden, "chat_prompts_chatglm_6b")["cases"]:
        turns = [
            {"role": role, "content": text}
            for pair in case["history"]
            for role, text in zip(("user", "assistant"), pair, strict=True)
        ]
        turns.append({"role": "user", "content": case["query"]})
        assert chatglm.apply_chat_template(turns, add_generation_prompt=True)["input_ids"] == case["input_ids"]
        text = chatglm.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        assert text == f"{case['prompt_text']}[gMASK]<sop>"


def test_chat_prompts_of_chatglm3(chatglm3, shared_golden) -> None:
    for case in _read(shared_golden, "chat_prompts_chatglm3_6b")["cases"]:
        turns = [*case["history"], {"role": case["role"], "content": case["query"]}]
        encoding = chatglm3.apply_chat_template(turns, add_generation_prompt=True)
        assert encoding["input_ids"] == case["input_ids"]
        assert encoding["attention_mask"] == case["attention_mask"]


def test_finished_conversations_of_chatglm3_are_its_training_samples(chatglm3, shared_golden) -> None:
    for sample in _read(shared_golden, "training_samples_chatglm3_6b")["samples"]:
        assert chatglm3.apply_chat_template(sample["conversation"], return_dict=False) == sample["input_ids"]


def test_finished_conversations_of_chatglm_are_its_training_samples(chatglm, shared_golden) -> None:
    for sample in _read(shared_golden, "training_samples_chatglm_6b")["samples"]:
        told = sample["sample"]
        turns = [
            {"role": role, "content": text}
            for pair in [*told["history"], [told["content"], told["summary"]]]
            for role, text in zip(("user", "assistant"), pair, strict=True)
        ]
        padded = chatglm.apply_chat_template(
            turns, padding="max_length", max_length=len(sample["input_ids"]), tokenizer_kwargs={"padding_side": "right"}
        )
        assert padded["input_ids"] == sample["input_ids"]


def test_repaired_answers(chatglm, shared_golden) -> None:
    for case in _read(shared_golden, "chat_prompts_chatglm_6b")["process_response"]:
        assert process_response(case["text"]) == chatglm.process_response(case["text"]) == case["result"]


def test_ids_of_chatglm(chatglm) -> None:
    ids = [chatglm.pad_token_id, chatglm.mask_token_id, chatglm.gmask_token_id, chatglm.bos_token_id]
    assert ids == [3, 130000, 130001, 130004]
    assert chatglm.stop_token_ids == [chatglm.eos_token_id] == [130005]


def test_ids_of_chatglm3(chatglm3) -> None:
    speakers = [getattr(chatglm3, f"{role}_token_id") for role in ("system", "user", "assistant", "observation")]
    assert speakers == [64794, 64795, 64796, 64797]
    assert (chatglm3.gmask_token_id, chatglm3.sop_token_id) == (64790, 64792)
    assert chatglm3.stop_token_ids == [2, 64795, 64797]
    assert chatglm3.encode("\n", add_special_tokens=False) == [30910, 13]
