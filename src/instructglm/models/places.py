"""Where a model lies: the folder behind a hub id, a path, a preset's name, or `embedded`."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

from instructglm.core.errors import ModelError
from instructglm.core.lookup import nearest
from instructglm.models.embedded import EMBEDDED, embedded_folder
from instructglm.models.presets import PRESETS, preset_folder

WHERE_FROM = (
    "A model (`name_or_path` in the experiment) is a hub id, a local folder, `embedded`, "
    f"or for a dry run {' or '.join(f'`{name}`' for name in PRESETS)}."
)
_SMALL = ("*.json", "*.jinja", "*.model", "*.txt", "*.py", "*.tiktoken")  # code is read for its names, never run
_WEIGHTS = (
    ("model.safetensors", "model-*-of-*.safetensors"),
    ("pytorch_model.bin", "pytorch_model-*-of-*.bin"),
)  # the first kind that is there
_PATIENCE = 10  # seconds for the hub to answer


def folder_of(path_or_id: str | Path, *, weights: bool = True) -> Path:
    """The local folder of a model; what lies on the hub is fetched into the user's cache first.

    Args:
        path_or_id: A hub id, a folder, the name of a preset, or `embedded`.
        weights: Whether the weights are needed too, or only the small files.

    Raises:
        ModelError: there is no such folder, or the hub has no such model or cannot be reached.
    """
    name = str(path_or_id)
    if name == EMBEDDED:
        return embedded_folder()
    if name in PRESETS:
        return preset_folder(name)
    folder = Path(path_or_id).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelError(f"{name}: this is a file", hint="Give the folder that holds config.json and the weights.")
    if isinstance(path_or_id, Path) or _can_only_be_a_path(name):
        raise ModelError(f"{name}: no such folder", hint=WHERE_FROM)
    return _fetched(name, weights=weights)


def on_hub(path_or_id: str | Path) -> bool:
    """Whether a name that has a folder (see `folder_of`) has it from the hub."""
    return str(path_or_id) not in {EMBEDDED, *PRESETS} and not Path(path_or_id).expanduser().is_dir()


def _can_only_be_a_path(name: str) -> bool:
    """Whether this is no hub id, which is `name` or `owner/name`."""
    return name.startswith(("/", ".", "~")) or name.endswith("/") or name.count("/") > 1 or "\\" in name


def _fetched(repo_id: str, *, weights: bool) -> Path:
    """The snapshot of a hub model: as the hub has it now, or else as it was fetched earlier."""
    if constants.HF_HUB_OFFLINE:
        return _cached(repo_id, "HF_HUB_OFFLINE is set")
    try:
        files = _files_on_hub(repo_id)
    except GatedRepoError as error:
        raise ModelError(
            f"{repo_id}: the hub wants this model's licence accepted first",
            hint=f"Accept it at {constants.ENDPOINT}/{repo_id}, and log in with `hf auth login`.",
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise _nowhere(repo_id, "the hub has no such model, or none that you may read") from error
    except Exception as error:  # which classes depends on the release of huggingface_hub and its HTTP library
        return _cached(repo_id, f"the hub cannot be reached ({_first_line(error)})")
    wanted = [*_SMALL, *(_weight_patterns(files) if weights else ())]
    try:
        return Path(snapshot_download(repo_id, allow_patterns=wanted, ignore_patterns=["*/*"]))
    except OSError as error:
        raise ModelError(
            f"{repo_id}: fetching it from the hub failed: {_first_line(error)}",
            hint="Run the same command again: what has been fetched is kept.",
        ) from error


def _files_on_hub(repo_id: str) -> list[str]:
    """One question, asked once: the library's own downloads try for most of a minute when there is no network."""
    return [entry.rfilename for entry in HfApi().model_info(repo_id, timeout=_PATIENCE).siblings or []]


def _weight_patterns(files: list[str]) -> tuple[str, ...]:
    for patterns in _WEIGHTS:
        if any(fnmatch(file, pattern) for file in files for pattern in patterns):
            return patterns
    return ()


def _cached(repo_id: str, why: str) -> Path:
    try:
        return Path(snapshot_download(repo_id, allow_patterns=list(_SMALL), local_files_only=True))
    except (OSError, ValueError) as error:
        raise _nowhere(repo_id, f"the model of that name was not fetched earlier, and {why}") from error


def _nowhere(name: str, why: str) -> ModelError:
    return ModelError(f"{name}: there is no such folder in {Path.cwd()}; as a hub id: {why}", hint=_hint_for(name))


def _hint_for(name: str) -> str:
    close = nearest(name, [EMBEDDED, *PRESETS])
    return f"Did you mean {close}? {WHERE_FROM}" if close else WHERE_FROM


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
