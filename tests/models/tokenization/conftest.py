"""Small vocabularies of the same kinds as the real ones, trained in the test run, so that no test needs a download."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import sentencepiece

CORPUS = [
    "Instruction: name the capital of France. Answer: Paris!",
    "你好，世界！今天天气很好。请把下面的句子翻译成英文：我们明天见。",
    "def add(a, b): return a + b  # 1234567890",
    "The quick brown fox jumps over the lazy dog; positive, negative, neutral? (yes) [no]",
]
_MASKS = ["[MASK]", "[gMASK]", "[sMASK]", "<unused_0>", "<sop>", "<eop>", "<ENC>", "<dBLOCK>"]
_BLANKS = ["<n>", "<|tab|>", *(f"<|blank_{length}|>" for length in range(2, 81))]


def _train(folder: Path, name: str, **settings: object) -> Path:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 20), model_prefix=str(folder / "trained"), character_coverage=1.0,
        byte_fallback=True, split_digits=True, hard_vocab_limit=False, minloglevel=2, **settings,
    )  # fmt: skip
    (folder / "trained.vocab").unlink()
    (folder / "trained.model").rename(folder / name)
    return folder


@pytest.fixture(scope="session")
def small_chatglm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a unigram vocabulary and the control tokens of ChatGLM-6B."""
    folder = _train(
        tmp_path_factory.mktemp("chatglm"), "ice_text.model", model_type="unigram", vocab_size=620, pad_id=3,
        pad_piece="<pad>", control_symbols=_MASKS, user_defined_symbols=_BLANKS, normalization_rule_name="nmt_nfkc",
    )  # fmt: skip
    settings = {"tokenizer_class": "ChatGLMTokenizer", "num_image_tokens": 0, "eos_token": "<eop>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="session")
def small_chatglm3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BPE vocabulary as of ChatGLM2-6B and ChatGLM3-6B."""
    return _train(
        tmp_path_factory.mktemp("chatglm3"), "tokenizer.model", model_type="bpe", vocab_size=520,
        normalization_rule_name="identity", remove_extra_whitespaces=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def small_glm4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a list of base64 tokens and ranks as of GLM-4's first layout."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained.train_from_iterator(
        CORPUS * 5, trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    )
    letters = {letter: byte for byte, letter in _byte_letters().items()}
    names = sorted(trained.get_vocab(), key=trained.get_vocab().__getitem__)
    tokens = [bytes(letters[letter] for letter in name) for name in names]
    folder = tmp_path_factory.mktemp("glm4")
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)]
    (folder / "tokenizer.model").write_text("".join(lines))
    return folder


def _byte_letters() -> dict[int, str]:
    """Told by the library itself: the letter it writes for each byte that a character can hold."""
    from tokenizers import pre_tokenizers

    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    letters: dict[int, str] = {}
    for number in [*range(0x800), *range(0x800, 0xD800, 64), *range(0x10000, 0x110000, 4096)]:
        spelled = "".join(piece for piece, _ in level.pre_tokenize_str(chr(number)))
        letters |= dict(zip(chr(number).encode(), spelled, strict=True))
    unused = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - set(letters.values()))  # bytes that no character has
    return letters | dict(zip(sorted(set(range(256)) - set(letters)), unused, strict=True))
