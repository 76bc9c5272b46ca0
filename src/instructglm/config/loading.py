"""The door: an experiment file and overrides in, a checked `Experiment` or every fault out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from instructglm.config.document import Document, Fault, dump, parse
from instructglm.config.experiment import Experiment
from instructglm.config.faults import describe, faults
from instructglm.config.overrides import apply_overrides
from instructglm.core.errors import ConfigError
from instructglm.core.lookup import nearest

_INIT = "`instructglm init` writes a commented experiment file to start from."
_BYTE_ORDER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def load_experiment(path: Path, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment in the YAML file `path`, with `section.key=value` overrides applied.

    Raises:
        ConfigError: the file cannot be read, or anything in it is wrong; all
            faults together, each with its line and key.
    """
    document = parse(_read(path), str(path))
    if document.value is None:
        raise ConfigError(f"{path}: the file holds no keys", hint=_INIT)
    if not isinstance(document.value, dict):
        raise ConfigError(
            f"{path}: found {describe(document.value)}; expected keys such as name, data, training", hint=_INIT
        )
    apply_overrides(document, overrides)
    return _check(document)


def _check(document: Document) -> Experiment:
    # As JSON, pydantic's strict mode takes lists for tuples and whole numbers for
    # floats, but neither "3" nor true for a number.
    try:
        experiment = Experiment.model_validate_json(json.dumps(document.value), strict=True)
    except ValidationError as error:
        raise _all(document, faults(error, document)) from None
    if document.faults:
        raise _all(document, [])
    return experiment


def _all(document: Document, found: Sequence[Fault]) -> ConfigError:
    everything = sorted([*document.faults, *found], key=_by_line)
    return ConfigError(*dict.fromkeys(map(str, everything)))


def _by_line(fault: Fault) -> tuple[bool, int]:
    line = fault.origin.rpartition(":")[2]
    return (not line.isdecimal(), int(line) if line.isdecimal() else 0)


def _read(path: Path) -> str:
    if path.is_dir():
        raise ConfigError(f"{path}: this is a folder; expected an experiment file", hint=_instead(path))
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file", hint=_instead(path)) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if not content.strip():
        raise ConfigError(f"{path}: the file is empty", hint=_INIT)
    return _decode(content, path)


def _instead(path: Path) -> str:
    """The next move where no file was found: one that is there, or `init`."""
    folder = path if path.is_dir() else path.parent
    there = [entry.name for entry in sorted(folder.glob("*.yaml")) if entry.is_file()] if folder.is_dir() else []
    close = nearest(path.name, there) or (there[0] if len(there) == 1 else None)
    return f"Did you mean {folder / close}?" if close else _INIT


def _decode(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        guess = _BYTE_ORDER_MARKS.get(content[:2], "GBK or Latin-1")
        raise ConfigError(
            f"{path}:{line}: not UTF-8: byte 0x{content[error.start]:02x}; the file looks like {guess}",
            hint="Save it as UTF-8 in your editor.",
        ) from error


def to_yaml(experiment: Experiment) -> str:
    """The experiment as a file, every default written out; `load_experiment` reads it back equal."""
    return dump(experiment.model_dump(mode="json"))
