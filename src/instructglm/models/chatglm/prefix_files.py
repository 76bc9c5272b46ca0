"""A trained prefix in a folder: the prefix encoder alone, as the official ptuning/main.py leaves it.

Weights and their shape setting never part: beside the weights stands a
config.json with `pre_seq_len` and `prefix_projection`. Where it was lost, the
tensors themselves tell both.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from instructglm.core.errors import ModelError
from instructglm.core.files import write_text
from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.chatglm.prefix import PrefixEncoder, config_with_prefix
from instructglm.models.config_file import refuse_pointer
from instructglm.models.weight_files import Shape, check_shapes, shapes_of, weight_files

if TYPE_CHECKING:
    from instructglm.models.chatglm.modeling import ChatGLMForCausalLM

_ENCODER = "transformer.prefix_encoder."
_TABLE = "embedding.weight"
_SETTING = ("pre_seq_len", "prefix_projection")
_MISFIT = "Take the base model that this prefix was trained for, and the config.json that was saved with the prefix."


def save_prefix(model: ChatGLMForCausalLM, folder: str | Path) -> None:
    """Write the prefix encoder of `model` alone, under its official names, and its shape setting.

    Raises:
        ModelError: the model has no prefix.
    """
    encoder = model.transformer.prefix_encoder
    if encoder is None:
        raise ModelError("this model has no prefix to save", hint="Tune it with `method: prefix` first.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {_ENCODER + name: weight.cpu().contiguous() for name, weight in encoder.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    setting = {field: getattr(model.config, field) for field in _SETTING}
    write_text(folder / "config.json", json.dumps(setting, indent=2) + "\n")


def load_prefix(model: ChatGLMForCausalLM, folder: str | Path) -> None:
    """Put a trained prefix in front of `model`, in place of one it has.

    Args:
        model: ChatGLM-6B; it is changed only when the whole prefix fits.
        folder: What `save_prefix` or the official ptuning/main.py wrote: `transformer.prefix_encoder.*` in
            safetensors or pytorch_model.bin. Its config.json may be that of the base, or missing.

    Raises:
        ModelError: the model is another one, the folder holds no prefix, or its tensors do not fit the model.
    """
    folder = Path(folder)
    if not isinstance(model.config, ChatGLMConfig):
        raise ModelError(
            f"{folder}: this is a prefix for ChatGLM-6B, and the model is a {type(model).__name__}",
            hint="Load the ChatGLM-6B that the prefix was trained for.",
        )
    files = weight_files(folder)
    encoder = _encoder_for(_prefix_shapes(files, folder), folder, model.config)
    weights = {name: weight.float() for file in files for name, weight in _prefix_weights(file).items()}
    encoder.load_state_dict(weights, assign=True)
    model.transformer.set_prefix(encoder)


def _prefix_shapes(files: list[Path], folder: Path) -> dict[str, Shape]:
    """By name within the prefix encoder."""
    shapes = shapes_of(files)
    found = {name.removeprefix(_ENCODER): shape for name, shape in shapes.items() if name.startswith(_ENCODER)}
    if _TABLE not in found:
        raise ModelError(
            f"{folder}: no prefix: none of its {len(shapes)} weights is called {_ENCODER}{_TABLE}",
            hint="Give the folder of a p-tuning checkpoint; a whole model loads with `instructglm.models.load`.",
        )
    others = sorted(shapes.keys() - {_ENCODER + name for name in found})
    if others:
        told = f"{folder}: only the prefix is read; {len(others)} other weights are left to the base model: "
        warnings.warn(told + ", ".join(others[:3]), stacklevel=3)
    return found


def _encoder_for(found: dict[str, Shape], folder: Path, base: ChatGLMConfig) -> PrefixEncoder:
    """An encoder without numbers, of the shape that config.json or else the tensors tell.

    Raises:
        ModelError: the tensors are not those of this encoder on this base; names every one.
    """
    told = _told(folder / "config.json")
    length = told.get("pre_seq_len", found[_TABLE][0])
    projection = told.get("prefix_projection", any(name.startswith("trans.") for name in found))
    with torch.device("meta"):
        encoder = PrefixEncoder(config_with_prefix(base, length, projection))
    try:
        check_shapes(found, {name: tuple(weight.shape) for name, weight in encoder.state_dict().items()}, folder)
    except ModelError as error:
        setting = f"{folder}: with pre_seq_len {length} and prefix_projection {str(projection).lower()}, "
        setting += f"on a base of {base.num_layers} layers and hidden_size {base.hidden_size}:"
        raise ModelError(setting, *error.faults, hint=_MISFIT) from error
    return encoder


def _told(path: Path) -> dict[str, Any]:
    """What config.json says of the prefix. A null `pre_seq_len` is that of a base, which says nothing of it.

    Raises:
        ModelError: it is damaged, or says what no prefix can have.
    """
    if not path.is_file():
        return {}
    refuse_pointer(path)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        told = {field: told[field] for field in _SETTING if told.get(field) is not None and told.get("pre_seq_len")}
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{path}: this is no JSON object: {error}", hint="Mend it, or remove it.") from error
    kinds: dict[str, Any] = {"pre_seq_len": int, "prefix_projection": bool}
    faults = [
        f"{path}: {field} is {value!r}" for field, value in told.items() if type(value) is not kinds[field] or value < 0
    ]
    if faults:
        raise ModelError(*faults, hint="pre_seq_len is a whole number, prefix_projection is true or false.")
    return told


def _prefix_weights(file: Path) -> dict[str, torch.Tensor]:
    if file.suffix == ".safetensors":
        with safe_open(file, "pt") as opened:
            weights = {name: opened.get_tensor(name) for name in opened.keys() if name.startswith(_ENCODER)}  # noqa: SIM118
    else:
        weights = torch.load(file, weights_only=True, map_location="cpu", mmap=is_zipfile(file))
    return {name.removeprefix(_ENCODER): weight for name, weight in weights.items() if name.startswith(_ENCODER)}
