"""The base that an adapter belongs to, noted beside it: on other weights it would answer, and answer nonsense."""

from __future__ import annotations

from pathlib import Path

from instructglm.core.errors import ModelError
from instructglm.core.files import write_text
from instructglm.core.records import Record, read_record
from instructglm.models.fingerprint import model_fingerprint

_FILE = "base_model.json"
_WEIGHTS = (".safetensors", ".bin")


class Base(Record):
    """A model by the name it was called, and what its weights are: a commit of the hub, or hashes of files."""

    name_or_path: str
    commit: str | None
    weights: dict[str, str]

    def difference(self, other: Base) -> str:
        """In what the weights of another base are others; empty where they are the same."""
        if self.commit != other.commit:
            return f"commit {other.commit} instead of {self.commit}"
        names = sorted(self.weights.keys() | other.weights.keys())
        return ", ".join(name for name in names if self.weights.get(name) != other.weights.get(name))


def note_base(folder: Path, name_or_path: str) -> None:
    """Write into an adapter's folder which model it was trained on."""
    write_text(folder / _FILE, _base_of(name_or_path).model_dump_json(indent=2) + "\n")


def require_base(folder: Path, name_or_path: str) -> None:
    """Refuse a base that an adapter was not trained on. Adapters from elsewhere, which note none, go through.

    Raises:
        ModelError: the weights are others; names both bases.
    """
    if not (folder / _FILE).exists():
        return
    noted = read_record(folder / _FILE, Base, hint="Remove the run's folder and run again to train anew.")
    if found := noted.difference(_base_of(name_or_path)):
        raise ModelError(
            f"{folder}: trained on {noted.name_or_path}; the base is now {name_or_path}, and its weights are others "
            f"({found})",
            hint="Set model.name_or_path to the model it was trained on, or train anew.",
        )


def _base_of(name_or_path: str) -> Base:
    found = model_fingerprint(name_or_path)
    weights = {name: digest for name, digest in found.get("files", {}).items() if name.endswith(_WEIGHTS)}
    return Base(name_or_path=name_or_path, commit=found.get("commit"), weights=weights)
