"""config.json: read as what it has to be, before anything is built from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from instructglm.core.errors import ModelError
from instructglm.models.families import Family
from instructglm.models.old_ids import NEW_REVISION, OLD_BOS, OLD_IDS, OLD_VOCABULARY

_LFS = b"version https://git-lfs"
_ID_FIELDS = ("bos_token_id", "eos_token_id", "pad_token_id", "mask_token_id", "gmask_token_id")
PACKED = "quantization_bit"
"""The field of weights in a packing of the official code's own."""
UNPACKED = "Take the unquantized model; it can be quantized on loading (quantization_config)."
_PREFIX_FIELDS = {"pre_seq_len", "prefix_projection"}
LOAD_PREFIX = (
    "Load its base model, and then the prefix: `load_prefix(model, folder)` in models/chatglm/prefix_files.py."
)


def read_config(folder: Path) -> dict[str, Any]:
    """The content of a model folder's config.json.

    Raises:
        ModelError: there is none, or it is not the JSON object of a model.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise _no_model(folder)
    refuse_pointer(path)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path}: this is not JSON: {error}", hint="Fetch it anew, or mend it.") from error
    if not isinstance(config, dict):
        raise ModelError(
            f"{path}: found a JSON {type(config).__name__}; expected an object with the model's fields",
            hint="Fetch it anew.",
        )
    if not isinstance(config.get("model_type"), str):
        add = 'Add it as on the model card, such as "model_type": "chatglm".'
        raise ModelError(
            f"{path}: there is no model_type, which says what kind of model this is",
            hint=LOAD_PREFIX if config and config.keys() <= _PREFIX_FIELDS else add,
        )
    return config


def _no_model(folder: Path) -> ModelError:
    found = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "nothing"
    hint = "Give the folder that holds config.json and the weights."
    if (folder / "adapter_config.json").exists():
        hint = "This is an adapter: give the folder of the model it was made for, or merge the two first."
    return ModelError(f"{folder}: not a model: no config.json (found {found})", hint=hint)


def refuse_pointer(path: Path) -> None:
    """Refuse the few lines that git keeps in place of a large file which was not fetched.

    Raises:
        ModelError: the file is such a pointer.
    """
    with path.open("rb") as file:
        if file.read(len(_LFS)) == _LFS:
            raise ModelError(
                f"{path}: this is a git-lfs pointer, not the file itself",
                hint="Run `git lfs install && git lfs pull` in that folder, or fetch the file from the hub.",
            )


def check_config(config: Mapping[str, Any], family: Family, folder: Path) -> None:
    """Refuse a config whose model would load, and then compute nonsense.

    Raises:
        ModelError: names every field that is wrong.
    """
    if family == "chatglm" and _is_old(config):
        raise ModelError(
            f"{folder}/config.json: this is ChatGLM-6B from before 2023-04-06 "
            f"(vocab_size {config.get('vocab_size')}, bos_token_id {config.get('bos_token_id')}): {OLD_IDS}",
            hint=f"Take {NEW_REVISION}, with its own tokenizer files.",
        )
    if family != "other" and config.get(PACKED):
        raise ModelError(f"{folder}/config.json: {packed_fault(config[PACKED])}", hint=UNPACKED)
    faults = [*_ids_outside(config, folder / "config.json"), *_generation_faults(config, folder)]
    if faults:
        raise ModelError(*faults, hint="Take config.json, weights and tokenizer of one revision.")


def packed_fault(bits: object) -> str:
    """Why a model with this in its field `PACKED` is refused; `UNPACKED` is the next move."""
    return f"{PACKED} is {bits}: these weights are packed by the official code"


def _is_old(config: Mapping[str, Any]) -> bool:
    return config.get("vocab_size") == OLD_VOCABULARY or config.get("bos_token_id") == OLD_BOS


def _generation_faults(config: Mapping[str, Any], folder: Path) -> Iterator[str]:
    path = folder / "generation_config.json"
    try:
        generation = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return
    except ValueError as error:
        yield f"{path}: this is not JSON: {error}"
        return
    if isinstance(generation, dict):
        yield from _ids_outside({**_vocabulary(config), **generation}, path)


def _vocabulary(config: Mapping[str, Any]) -> dict[str, Any]:
    return {field: config[field] for field in ("padded_vocab_size", "vocab_size") if field in config}


def _ids_outside(config: Mapping[str, Any], path: Path) -> Iterator[str]:
    """Ids of special tokens that no embedding has. A pad id of -1 is an old way to say that there is none."""
    size = config.get("padded_vocab_size", config.get("vocab_size"))
    if not isinstance(size, int):
        return
    for field in _ID_FIELDS:
        value = config.get(field)
        for token in value if isinstance(value, list) else [value]:
            if token is None or (field == "pad_token_id" and token == -1):
                continue
            if not isinstance(token, int) or not 0 <= token < size:
                yield f"{path}: {field} is {token!r}; the vocabulary has the ids 0 to {size - 1}"
