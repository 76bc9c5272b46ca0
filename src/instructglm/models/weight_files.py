"""The files that hold a model's weights: all there, whole, and of the expected shapes."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError, safe_open

from instructglm.core.errors import ModelError
from instructglm.models.config_file import refuse_pointer

Shape = tuple[int, ...]
_NAMES = ("model.safetensors", "pytorch_model.bin")  # what is safe and fast to read, first
_SHOWN = 5  # faults of one kind in a message
_AGAIN = "Fetch it again: a download may have been cut off."
_MISFIT = "Take config.json and weights of one revision of one model."


def weight_files(folder: Path) -> list[Path]:
    """The files with the weights: safetensors where there are any, else tensor-only `.bin` files.

    Raises:
        ModelError: there is no such folder, there are none in it, or one that the index names is missing.
    """
    for name in _NAMES:
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return [folder / name]
        if index.is_file():
            return _shards(index)
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder", hint="Give the folder that holds the weights.")
    found = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "nothing"
    raise ModelError(
        f"{folder}: no weights: neither {_NAMES[0]} nor {_NAMES[1]}, nor an index of shards (found {found})",
        hint="Fetch the weights into this folder, or give the folder that holds them.",
    )


def _shards(index: Path) -> list[Path]:
    refuse_pointer(index)
    try:
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index}: this is no index of weights", hint=_AGAIN) from error
    missing = [name for name in shards if not (index.parent / str(name)).is_file()]
    if missing or not shards:
        named = ", ".join(map(str, missing)) or "no shard"
        raise ModelError(f"{index.parent}: {index.name} names {named}, which is not there", hint=_AGAIN)
    return [index.parent / str(name) for name in shards]


def shapes_of(files: list[Path]) -> dict[str, Shape]:
    """Names and shapes of the weights in these files; the numbers stay on the disk.

    Raises:
        ModelError: a file is a git-lfs pointer, cut off, or no weight file.
    """
    shapes: dict[str, Shape] = {}
    for file in files:
        refuse_pointer(file)
        shapes |= _safetensors_shapes(file) if file.suffix == ".safetensors" else _bin_shapes(file)
    return shapes


def _safetensors_shapes(file: Path) -> dict[str, Shape]:
    try:
        with safe_open(file, "pt") as opened:
            names = list(opened.keys())
            return {name: tuple(opened.get_slice(name).get_shape()) for name in names}
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{file}: cut off, or no safetensors file: {error}", hint=_AGAIN) from error


def _bin_shapes(file: Path) -> dict[str, Shape]:
    try:
        weights = torch.load(file, weights_only=True, mmap=is_zipfile(file), map_location="meta")
        return {str(name): tuple(weight.shape) for name, weight in weights.items()}
    except (pickle.UnpicklingError, RuntimeError, ValueError, OSError, EOFError, AttributeError) as error:
        raise ModelError(
            f"{file}: cut off, or it holds more than tensors (which is never read, since it could run code)",
            hint=f"{_AGAIN} Or take the model as safetensors.",
        ) from error


def check_shapes(found: Mapping[str, Shape], expected: Mapping[str, Shape], folder: Path) -> None:
    """Refuse weights that are not exactly the expected ones.

    Raises:
        ModelError: names the weights that are missing, of another shape, or not known.
    """
    differing = {name: (found[name], expected[name]) for name in expected if name in found}
    check_report(
        folder,
        missing=expected.keys() - found.keys(),
        misshapen=[(name, *pair) for name, pair in differing.items() if pair[0] != pair[1]],
        unexpected=found.keys() - expected.keys(),
    )


def check_report(
    folder: Path,
    *,
    missing: set[str],
    misshapen: list[tuple[str, Shape, Shape]],
    unexpected: set[str],
) -> None:
    """Refuse a model some of whose weights would be random numbers, or would be left out.

    Raises:
        ModelError: names the weights that are missing, of another shape (found, expected), or not known.
    """
    faults = [
        *_named(sorted(missing), "missing"),
        *_named([_misfit(*one) for one in sorted(misshapen)], "of another shape than config.json says"),
        *_named(sorted(unexpected), "not known to this model"),
    ]
    if faults:
        raise ModelError(*(f"{folder}: {fault}" for fault in faults), hint=_MISFIT)


def _misfit(name: str, found: Shape, expected: Shape) -> str:
    return f"{name} found {list(found)}, expected {list(expected)}"


def _named(names: list[str], what: str) -> Iterator[str]:
    if names:
        rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        are = "weight is" if len(names) == 1 else "weights are"
        yield f"{len(names)} {are} {what}: {'; '.join(names[:_SHOWN])}{rest}"
