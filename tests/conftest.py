"""Models that the tests share: the embedded one, and a tiny one of random weights with its tokenizer."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_configure() -> None:
    """One thread for torch, here and in the processes that tests start.

    The models of the tests are so small that two threads mostly wait for each
    other: with another process on the machine, training takes ten times as long.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real public data beside the checkout; tests that need it are skipped where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        # Where everything has to be tested, a missing reference is a failure, not an excuse.
        absent = pytest.fail if os.environ.get("CI") else pytest.skip
        absent(f"the shared reference data is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def embedded_tokenizer():
    from instructglm.models.loading import load_tokenizer

    return load_tokenizer("embedded")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, embedded_tokenizer) -> Path:
    """A folder with a two-layer Llama of random weights and the embedded model's tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(embedded_tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        pad_token_id=embedded_tokenizer.pad_token_id,
        bos_token_id=1,
        eos_token_id=embedded_tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )
    folder = tmp_path_factory.mktemp("tiny")
    LlamaForCausalLM(config).save_pretrained(folder)
    embedded_tokenizer.save_pretrained(folder)
    return folder


_CORPUS = [
    "Instruction: Name the capital of France.\n\nAnswer: Paris.",
    "你好，世界！今天天气很好。请把下面的句子翻译成英文。",
    "The quick brown fox jumps over the lazy dog; positive, negative, neutral.",
]


@pytest.fixture(scope="session")
def plain_tokenizer():
    """Byte-level BPE as of GPT-2: no chat template, nothing put before a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")


@pytest.fixture(scope="session")
def sentencepiece_tokenizer():
    """Pieces with a mark for the blank before them, as of Llama: no chat template, begins every text with `<s>`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False)
    tokenizer.train_from_iterator(_CORPUS, trainer)
    trained = json.loads(tokenizer.to_str())["model"]
    names = [*trained["vocab"], *(f"<0x{byte:02X}>" for byte in range(256))]  # a byte of its own for the rest
    merges = [tuple(pair) for pair in trained["merges"]]
    tokenizer.model = models.BPE(
        {name: number for number, name in enumerate(names)}, merges, byte_fallback=True, unk_token="<unk>"
    )
    marks = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(marks)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
