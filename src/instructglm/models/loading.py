"""One door for every model: a hub id, a local folder, a preset, or `embedded`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from instructglm.core.errors import ModelError
from instructglm.models.choices import check_attention, dtype_of
from instructglm.models.config_file import check_config, read_config
from instructglm.models.families import GLM_LAYOUTS, VERSION_FIELD, Family, family_of, tokenizer_family_of
from instructglm.models.fingerprint import model_fingerprint
from instructglm.models.opening import open_model, outline_model
from instructglm.models.places import WHERE_FROM, folder_of, on_hub
from instructglm.models.quantization import keep_trainable
from instructglm.models.quiet import quiet
from instructglm.models.tokenization import tokenizer_of

__all__ = ["load", "load_tokenizer", "model_fingerprint", "outline"]

_TOKENIZER_FILES = ("*.model", "tokenizer*.json", "vocab.*", "merges.txt", "*.tiktoken", "added_tokens.json")
_REFUSALS = (
    OSError,
    ValueError,
    KeyError,
    RuntimeError,
    ImportError,
    TypeError,
    AttributeError,
    ArithmeticError,
    SafetensorError,
    StrictDataclassError,
)  # what loading a damaged or foreign folder ends in
_OF_ATTENTION = (
    "flash",
    "flex",
    "scaled_dot_product",
    "kernels",
    "attn_implementation",
)  # words by which transformers speaks of an attention it cannot give


@quiet()
def load(
    path_or_id: str | Path,
    *,
    dtype: torch.dtype | str = torch.float32,
    attn_implementation: str | None = None,
    device_map: Any = None,
    quantization_config: Any = None,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase | None]:
    """A causal language model in evaluation mode, and its tokenizer (None where the folder has none).

    The config tells the family: ChatGLM-6B is our own class; ChatGLM2,
    ChatGLM3 and GLM-4 in the layout of their remote code become transformers'
    `GlmForCausalLM`; every other model is what transformers makes of it.
    Remote code is never run, and weights are only read from safetensors or
    tensor-only files.

    Args:
        path_or_id: A hub id, a local folder, the name of a preset, or `embedded`.
        dtype: Of the weights; also by name: float32, bfloat16, float16, or `auto` for the one they were saved in.
        attn_implementation: eager, sdpa, ...; None leaves the choice to transformers.
        device_map: As for transformers' `from_pretrained`; None loads on the CPU.
        quantization_config: As for transformers' `from_pretrained`, to quantize on loading.

    Raises:
        ModelError: there is no such model, or this is not one that can be loaded; names the file or the field.
            Or an argument is not to be had; names that.
    """
    choices = {
        "attn_implementation": attn_implementation,
        "device_map": device_map,
        "quantization_config": quantization_config,
    }
    # A None would replace what config.json says.
    settings = {"dtype": dtype_of(dtype)} | {name: value for name, value in choices.items() if value is not None}
    folder = folder_of(path_or_id)
    config, family = _described(folder, path_or_id)
    check_attention(attn_implementation, family)
    tokenizer = _tokenizer_in(folder, path_or_id) if _has_tokenizer(folder) else None
    with _refusals(folder, "model", attn_implementation):
        model = open_model(family, folder, config, settings)
    keep_trainable(model)
    if on_hub(path_or_id):
        model.config.name_or_path = model.name_or_path = str(path_or_id)  # what adapters name as their base
    return model.eval(), tokenizer


@quiet()
def outline(
    path_or_id: str | Path, *, attn_implementation: str | None = None, dtype: torch.dtype = torch.float32
) -> PreTrainedModel:
    """The network that `load` would give in `dtype`, on the meta device: with sizes and without numbers.

    It is made from config.json alone; of a hub id only the small files are fetched.

    Raises:
        ModelError: as `load`, for all that config.json decides.
    """
    folder = folder_of(path_or_id, weights=False)
    config, family = _described(folder, path_or_id)
    check_attention(attn_implementation, family)
    with _refusals(folder, "model", attn_implementation):
        return outline_model(family, folder, config, attn_implementation, dtype)


def _described(folder: Path, path_or_id: str | Path) -> tuple[dict[str, Any], Family]:
    """The content of config.json, checked, and the family that it is of."""
    config = read_config(folder)
    family = family_of(_signs(path_or_id) | config, folder)
    if family in GLM_LAYOUTS:
        config[VERSION_FIELD] = family  # from here on it says so itself
    check_config(config, family, folder)
    return config, family


@quiet()
def load_tokenizer(path_or_id: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer that belongs to a model, with a padding token set.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    folder = folder_of(path_or_id, weights=False)
    if not _has_tokenizer(folder):
        found = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "nothing"
        raise ModelError(
            f"{path_or_id}: no tokenizer (found {found})",
            hint="Put the tokenizer files that came with the model into this folder.",
        )
    return _tokenizer_in(folder, path_or_id)


def _tokenizer_in(folder: Path, path_or_id: str | Path) -> PreTrainedTokenizerBase:
    config = read_config(folder) if (folder / "config.json").exists() else {}
    family = tokenizer_family_of(_signs(path_or_id) | config, folder)
    with _refusals(folder, "tokenizer"):
        if family != "other":
            return tokenizer_of(folder, family)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _signs(path_or_id: str | Path) -> dict[str, Any]:
    """A hub id tells the generation where config.json does not; the folder it lies in is named by its commit."""
    return {"name_or_path": str(path_or_id)} if on_hub(path_or_id) else {}


def _has_tokenizer(folder: Path) -> bool:
    return any(True for pattern in _TOKENIZER_FILES for _ in folder.glob(pattern))


@contextmanager
def _refusals(folder: Path, what: str, attention: str | None = None) -> Iterator[None]:
    """Turn what a library says of files it cannot use, or of `attention`, into one line with a next move."""
    try:
        yield
    except _REFUSALS as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        if attention is not None and any(word in first.lower() for word in _OF_ATTENTION):
            raise ModelError(
                f"attn_implementation is {attention}, which cannot be had here: {first}",
                hint="Install what it needs, or use sdpa or eager.",
            ) from error
        raise ModelError(
            f"{folder}: cannot load this {what}: {first}",
            hint=f"{WHERE_FROM} If it is the right one, get it anew: it may be damaged.",
        ) from error
