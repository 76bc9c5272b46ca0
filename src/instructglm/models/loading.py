"""One door for every model: a hub id, a local folder, or `embedded`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import cached_file
from transformers.utils import logging as transformers_logging

from instructglm.core.errors import ModelError
from instructglm.core.ids import content_hash, file_hash
from instructglm.models.embedded import EMBEDDED, embedded_folder

_NAMING = ("*.json", "*.jinja", "*.model", "*.txt", "*.safetensors", "*.bin")
_NUM_PAGES, _PAGE_BYTES = 512, 2**16
_WHERE_FROM = "A model (`name_or_path` in the experiment) is a hub id, a local folder, or `embedded`."
_REFUSALS = (
    OSError,
    ValueError,
    KeyError,
    RuntimeError,
    ImportError,
    TypeError,
    SafetensorError,
    StrictDataclassError,
)  # what loading a damaged or foreign folder ends in


def load(
    path_or_id: str | Path, *, dtype: torch.dtype = torch.float32, attn_implementation: str | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A causal language model and its tokenizer, in evaluation mode on the CPU.

    Remote code is never run, and weights are only read from safetensors or
    tensor-only files.

    Raises:
        ModelError: there is no such model, or this is not one we can load.
    """
    _quiet()
    place = _place(path_or_id)
    try:
        model, found = AutoModelForCausalLM.from_pretrained(
            place,
            dtype=dtype,
            attn_implementation=attn_implementation,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except _REFUSALS as error:
        raise _not_loadable(path_or_id, error) from error
    _require_whole(path_or_id, found["missing_keys"])
    model.generation_config = _neutral(model.generation_config)
    return model.eval(), load_tokenizer(path_or_id)


def _neutral(shipped: GenerationConfig) -> GenerationConfig:
    """Only the token ids of what a model ships: penalties and the like would make its greedy answers something else."""
    return GenerationConfig(
        bos_token_id=shipped.bos_token_id, eos_token_id=shipped.eos_token_id, pad_token_id=shipped.pad_token_id
    )


def _require_whole(path_or_id: str | Path, missing: Collection[str]) -> None:
    """Refuse a model some of whose weights would be random numbers."""
    if missing:
        shown = ", ".join(sorted(missing)[:3])
        raise ModelError(
            f"{path_or_id}: {len(missing)} weights are missing, such as {shown}",
            hint="Fetch it again, or compare its config.json with its weights: is it a whole causal language model?",
        )


def load_tokenizer(path_or_id: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer that belongs to a model, with a padding token set.

    Raises:
        ModelError: there is none.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(_place(path_or_id), trust_remote_code=False)
    except _REFUSALS as error:
        raise _not_loadable(path_or_id, error) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _quiet() -> None:
    """Leave the console to our own progress."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


def _place(path_or_id: str | Path) -> str:
    if str(path_or_id) == EMBEDDED:
        return str(embedded_folder())
    folder = Path(path_or_id).expanduser()
    if not folder.is_dir() and str(path_or_id).startswith(("/", ".", "~")):
        raise ModelError(f"{path_or_id}: no such folder", hint=_WHERE_FROM)
    if folder.is_dir() and not (folder / "config.json").exists():
        found = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "nothing"
        raise ModelError(
            f"{folder}: not a model: no config.json (found {found})",
            hint="Give the folder that holds config.json and the weights.",
        )
    return str(folder) if folder.is_dir() else str(path_or_id)


def _not_loadable(path_or_id: str | Path, error: Exception) -> ModelError:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return ModelError(
        f"{path_or_id}: cannot load this model: {first}",
        hint=f"{_WHERE_FROM} If it is the right one, get it anew: it may be damaged.",
    )


def model_fingerprint(path_or_id: str | Path) -> dict[str, Any]:
    """What names a model in a manifest: its hub id and commit, or the files of its folder, wherever that lies.

    Small files are read whole. Of a weight file this reads pages spread over
    all of it, so that a model of many gigabytes is named in a moment; whatever
    trains a layer changes some of them.

    Raises:
        ModelError: the folder holds no model, or may not be read.
    """
    place = Path(_place(path_or_id))
    try:
        if not place.is_dir():
            config = Path(str(cached_file(str(path_or_id), "config.json")))
            return {"name_or_path": str(path_or_id), "commit": config.parent.name}
        files = sorted(file for pattern in _NAMING for file in place.glob(pattern))
        return {"files": {file.name: _pages_hash(file) for file in files}}
    except _REFUSALS as error:
        raise _not_loadable(path_or_id, error) from error


def _pages_hash(path: Path) -> str:
    """A hash of the size and of pages at equal distances, the last bytes included; of a small file, of all of it."""
    size = path.stat().st_size
    if size <= _NUM_PAGES * _PAGE_BYTES:
        return content_hash(file_hash(path))
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for number in range(_NUM_PAGES):
            file.seek((size - _PAGE_BYTES) * number // (_NUM_PAGES - 1))
            digest.update(file.read(_PAGE_BYTES))
    return content_hash(size, digest.hexdigest())
