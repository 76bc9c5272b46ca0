"""What names a model in a manifest, whatever machine it lies on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from instructglm.core.errors import ModelError
from instructglm.core.ids import content_hash, file_hash
from instructglm.models.config_file import read_config
from instructglm.models.places import folder_of, on_hub

_NAMING = ("*.json", "*.jinja", "*.model", "*.txt", "*.safetensors", "*.bin")
_NUM_PAGES, _PAGE_BYTES = 512, 2**16


def model_fingerprint(path_or_id: str | Path) -> dict[str, Any]:
    """What names a model in a manifest: its hub id and commit, or the files of its folder, wherever that lies.

    Small files are read whole. Of a weight file this reads pages spread over
    all of it, so that a model of many gigabytes is named in a moment; whatever
    trains a layer changes some of them.

    Raises:
        ModelError: the folder holds no model, or may not be read.
    """
    place = folder_of(path_or_id, weights=False)
    read_config(place)
    if on_hub(path_or_id):  # the hub's cache has a folder for each commit
        return {"name_or_path": str(path_or_id), "commit": place.name}
    try:
        files = sorted({file for pattern in _NAMING for file in place.glob(pattern)})
        return {"files": {file.name: _pages_hash(file) for file in files}}
    except OSError as error:
        raise ModelError(
            f"{error.filename or place}: cannot be read: {error.strerror}", hint="See that you may read it."
        ) from error


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
