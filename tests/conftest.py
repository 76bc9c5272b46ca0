"""Models that the tests share: the embedded one, and a tiny one of random weights with its tokenizer."""

from __future__ import annotations

import importlib
import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

# One thread for torch, here and in the processes that tests start: the models of the tests are so small that two mostly
# wait for each other. Set while this file is read, because torch looks once, and the conftest.py of a folder below may
# import it before any hook runs; another number of threads here than in a process started later rounds otherwise.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["browsers", "databases"]
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.hookimpl(trylast=True)
def pytest_sessionstart() -> None:
    """A job in the background ignores Ctrl-C, and so would every process that the tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure() -> None:
    # torch's compiler imports setuptools, which wants to have come before the standard library's distutils.
    with suppress(ImportError):
        importlib.import_module("setuptools")


def _shared(name: str, what: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        # Where everything has to be tested, a missing reference is a failure, not an excuse.
        absent = pytest.fail if os.environ.get("CI") else pytest.skip
        absent(f"the shared {what} are not at {folder}")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real public data beside the checkout; tests that need it are skipped where it is absent."""
    return _shared("data", "reference data")


@pytest.fixture(scope="session")
def shared_golden() -> Path:
    """Tensors and token ids made by the official code of the ChatGLM family."""
    return _shared("golden", "golden tensors")


@pytest.fixture(scope="session")
def shared_tokenizers() -> Path:
    """The real tokenizer files of ChatGLM-6B and ChatGLM3-6B."""
    return _shared("tokenizers", "tokenizer files")


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


@pytest.fixture(scope="session")
def chatglm_tokenizer(shared_tokenizers: Path):
    """The real one of ChatGLM-6B."""
    from instructglm.models import load_tokenizer

    return load_tokenizer(shared_tokenizers / "chatglm-6b")


@pytest.fixture(scope="session")
def chatglm2_tokenizer(shared_tokenizers: Path, tmp_path_factory: pytest.TempPathFactory):
    """That of ChatGLM2-6B, whose tokenizer.model is the same as ChatGLM3's."""
    import shutil

    from instructglm.models import load_tokenizer

    third, folder = shared_tokenizers / "chatglm3-6b", tmp_path_factory.mktemp("second")
    shutil.copy(third / "tokenizer.model", folder)
    config = json.loads((third / "config.json").read_text("utf-8"))
    config |= {"chatglm_version": "chatglm2"}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return load_tokenizer(folder)


@pytest.fixture(scope="session")
def chatglm3_tokenizer(shared_tokenizers: Path):
    """The real one of ChatGLM3-6B."""
    from instructglm.models import load_tokenizer

    return load_tokenizer(shared_tokenizers / "chatglm3-6b")


@pytest.fixture(scope="session")
def glm4_remote_tokenizer(tmp_path_factory: pytest.TempPathFactory):
    """That of GLM-4's first layout, with a vocabulary of bytes and a few merges."""
    import base64

    from instructglm.models.tokenization.glm4 import ChatGLM4Tokenizer

    tokens = [*(bytes([byte]) for byte in range(256)), b"\n\n", b"is", b" the", b" t", b"he"]
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)]
    file = tmp_path_factory.mktemp("glm4") / "tokenizer.model"
    file.write_text("".join(lines), "ascii")
    return ChatGLM4Tokenizer(vocab_file=str(file))


_GLM4_CONTROL = [
    "<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>",
    "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>",
]  # fmt: skip
_GLM4_CHAT = (
    "[gMASK]<sop>{% for m in messages %}{% if m.content %}<|{{ m.role }}|>\n{{ m.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="session")
def glm4_tokenizer():
    """Byte-level BPE with control tokens and chat template as of GLM-4 in transformers' own layout."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([*_CORPUS, "a\n\n\nb\n\nc\n\nd"], trainer)
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in _GLM4_CONTROL])
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|endoftext|>", padding_side="left",
        additional_special_tokens=_GLM4_CONTROL,
    )  # fmt: skip
    made.chat_template = _GLM4_CHAT
    return made
