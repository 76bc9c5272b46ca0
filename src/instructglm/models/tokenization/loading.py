"""From a model's folder to its tokenizer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from instructglm.core.errors import ModelError
from instructglm.models.config_file import refuse_pointer
from instructglm.models.families import Family
from instructglm.models.tokenization.chatglm import ChatGLMTokenizer
from instructglm.models.tokenization.chatglm2 import ChatGLM2Tokenizer
from instructglm.models.tokenization.chatglm3 import ChatGLM3Tokenizer
from instructglm.models.tokenization.glm4 import ChatGLM4Tokenizer

TOKENIZERS: dict[Family, type[PreTrainedTokenizerBase]] = {
    "chatglm": ChatGLMTokenizer,
    "chatglm2": ChatGLM2Tokenizer,
    "chatglm3": ChatGLM3Tokenizer,
    "glm4_remote": ChatGLM4Tokenizer,
}
_SETTINGS = "tokenizer_config.json"
_SIZES = ("vocab_size", "padded_vocab_size")
_SHARED_IDS = ("bos_token_id", "eos_token_id", "mask_token_id", "gmask_token_id")
_FETCH = "Fetch the tokenizer files anew, of the same revision as the weights."


def tokenizer_of(folder: Path, family: Family) -> PreTrainedTokenizerBase:
    """The tokenizer in a folder, as the official one or as saved by ours; no code of the folder is run.

    Args:
        folder: Holds the vocabulary, and mostly tokenizer_config.json and config.json.
        family: The generation of the model, one of `TOKENIZERS`.

    Raises:
        ModelError: a file is missing or damaged, or the files do not belong together.
    """
    kind = TOKENIZERS[family]
    _require_vocabulary(folder, kind)
    _object(folder / _SETTINGS)
    try:
        tokenizer = kind.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the libraries below raise their own kinds, some only Exception itself
        raise _refusal(folder, error) from error
    faults = [*_disagreements(tokenizer, _object(folder / "config.json"))]
    if faults:
        raise ModelError(*(f"{folder}: {fault}" for fault in faults), hint=_FETCH)
    return tokenizer


def _refusal(folder: Path, error: Exception) -> ModelError:
    """Our own word with the place added, or one for what a library says."""
    # Where protobuf is not installed, transformers looks for it in vain and hides what we said.
    ours = error if isinstance(error, ModelError) else error.__context__
    if isinstance(ours, ModelError):
        return ModelError(
            *(fault if str(folder) in fault else f"{folder}/{fault}" for fault in ours.faults), hint=ours.hint
        )
    return ModelError(f"{folder}: cannot read this tokenizer: {_first_line(error)}", hint=_FETCH)


def _require_vocabulary(folder: Path, kind: type[PreTrainedTokenizerBase]) -> None:
    names = list(kind.vocab_files_names.values())
    there = [folder / name for name in names if (folder / name).is_file()]
    if not there:
        found = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "nothing"
        raise ModelError(f"{folder}: no {names[0]}, which holds the vocabulary (found {found})", hint=_FETCH)
    for path in there:
        refuse_pointer(path)


def _object(path: Path) -> Mapping[str, Any]:
    """What a JSON file says; nothing where there is none."""
    if not path.is_file():
        return {}
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path}: this is not JSON: {error}", hint=_FETCH) from error
    if not isinstance(read, dict):
        raise ModelError(f"{path}: found a JSON {type(read).__name__}; expected an object", hint=_FETCH)
    return read


def _disagreements(tokenizer: PreTrainedTokenizerBase, config: Mapping[str, Any]) -> Iterator[str]:
    """Where config.json says otherwise than the tokenizer."""
    for field in _SHARED_IDS:
        ours, theirs = getattr(tokenizer, field, None), config.get(field)
        if None not in (ours, theirs) and ours not in (theirs if isinstance(theirs, list) else [theirs]):
            yield f"the tokenizer's {field} is {ours}, but in config.json it is {theirs}"
    for field in _SIZES:
        if isinstance(config.get(field), int) and config[field] < len(tokenizer):
            yield f"the tokenizer has {len(tokenizer)} ids, but {field} in config.json is {config[field]}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
