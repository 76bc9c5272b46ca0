"""Tiny models of random weights, for tests and dry runs: the whole path runs on one in seconds, and learns nothing.

They are of the real kinds, tokenizers included, and are made on first use in
the user's cache, the same bytes wherever the same releases are installed.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from instructglm.core.cache import cache_folder
from instructglm.core.files import staged_folder
from instructglm.core.ids import content_hash, file_hash
from instructglm.core.lookup import lookup
from instructglm.models import preset_tokenizers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SEED = 0
_MADE_BY = ("preset*.py", "chatglm/*.py", "tokenization/*.py")
_MADE_WITH = ("torch", "transformers", "tokenizers", "sentencepiece", "safetensors")
_ROW_MULTIPLE = 64  # the embedding has some more rows than the vocabulary has pieces, as in the real models


def preset_folder(name: str) -> Path:
    """The folder of a preset; makes it on first use (a few seconds).

    Args:
        name: One of `PRESETS`.

    Raises:
        ConfigError: there is no such preset.
        StorageError: the cache cannot be written.
    """
    make = lookup("preset", name, PRESETS)
    folder = cache_folder() / "models" / f"{name}-{_recipe_hash()}"
    if not (folder / "model.safetensors").exists():
        with staged_folder(folder) as staged:
            make(staged)
    return folder


def _recipe_hash() -> str:
    """A name for what makes the presets: our models and tokenizers, this file's sizes, and the libraries' releases."""
    sources = sorted(source for pattern in _MADE_BY for source in Path(__file__).parent.glob(pattern))
    return content_hash([file_hash(source) for source in sources], [version(package) for package in _MADE_WITH])


def _make_chatglm(folder: Path) -> None:
    """ChatGLM-6B with two small layers."""
    from instructglm.models.chatglm.configuration import ChatGLMConfig
    from instructglm.models.chatglm.modeling import ChatGLMForCausalLM
    from instructglm.models.tokenization.chatglm import ChatGLMTokenizer

    preset_tokenizers.write_sentencepiece(folder / "ice_text.model")
    tokenizer = ChatGLMTokenizer(str(folder / "ice_text.model"))
    tokenizer.save_pretrained(folder)
    config = ChatGLMConfig(
        vocab_size=_rows(tokenizer.vocab_size),
        hidden_size=64,
        num_layers=2,
        num_attention_heads=4,
        inner_hidden_size=256,
        bos_token_id=tokenizer.sop_token_id,
        eos_token_id=tokenizer.eop_token_id,
        pad_token_id=tokenizer.pad_token_id,
        mask_token_id=tokenizer.mask_token_id,
        gmask_token_id=tokenizer.gmask_token_id,
    )
    _save(lambda: ChatGLMForCausalLM(config), folder)


def _make_glm(folder: Path) -> None:
    """GLM-4 in transformers' layout with two small layers."""
    from transformers import AutoTokenizer, GlmConfig, GlmForCausalLM

    preset_tokenizers.write_byte_level(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    stops = ["<|endoftext|>", "<|user|>", "<|observation|>"]
    config = GlmConfig(
        vocab_size=_rows(len(tokenizer)),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        intermediate_size=176,
        max_position_embeddings=2048,
        attention_bias=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.convert_tokens_to_ids(stops),
        bos_token_id=None,
    )
    _save(lambda: GlmForCausalLM(config), folder)


def _rows(num_tokens: int) -> int:
    return -(-num_tokens // _ROW_MULTIPLE) * _ROW_MULTIPLE


def _save(build: Callable[[], PreTrainedModel], folder: Path) -> None:
    """The model with weights from the seed; the random numbers of whoever asked are as they were."""
    import torch

    from instructglm.models.quiet import quiet

    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        build().save_pretrained(folder)


PRESETS: dict[str, Callable[[Path], None]] = {"chatglm-tiny": _make_chatglm, "glm-tiny": _make_glm}
"""What fills a folder with the model of that name."""
