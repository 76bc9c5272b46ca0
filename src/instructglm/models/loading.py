"""One door for every model: a hub id, a local folder, or `embedded`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from instructglm.core.errors import ModelError
from instructglm.models.embedded import EMBEDDED, embedded_folder


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
        model = AutoModelForCausalLM.from_pretrained(
            place, dtype=dtype, attn_implementation=attn_implementation, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise _not_loadable(path_or_id, error) from error
    return model.eval(), load_tokenizer(path_or_id)


def load_tokenizer(path_or_id: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer that belongs to a model, with a padding token set.

    Raises:
        ModelError: there is none.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(_place(path_or_id), trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
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
        hint="Check the name in `model.name_or_path`: a hub id, a local folder, or `embedded`.",
    )


def model_fingerprint(path_or_id: str | Path) -> dict[str, Any]:
    """What names these weights in a manifest: the path, and the size of each weight file."""
    place = Path(_place(path_or_id))
    if not place.is_dir():
        return {"name_or_path": str(path_or_id)}
    weights = sorted([*place.glob("*.safetensors"), *place.glob("*.bin")])
    shown = EMBEDDED if str(path_or_id) == EMBEDDED else str(path_or_id)
    return {"name_or_path": shown, "files": {file.name: file.stat().st_size for file in weights}}
