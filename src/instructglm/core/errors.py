"""What can go wrong, in one tree.

    InstructGLMError
    ├── ConfigError        the experiment file or an override
    ├── DataError          a data file, a row, a split
    ├── ModelError         a checkpoint or a tokenizer
    ├── RunError           training, evaluation, a stage that cannot go on
    └── StorageError       disk full, folder not writable, artifact damaged

Every message says what was found, what was expected and the next move. The
command line prints these without a traceback and exits with 2; any other
exception is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence


class InstructGLMError(Exception):
    """A mistake the user can mend; `faults` holds one line for each."""

    def __init__(self, *faults: str, hint: str = "") -> None:
        super().__init__("\n".join((*faults, *([hint] if hint else []))))
        self.faults: Sequence[str] = faults
        self.hint = hint


class ConfigError(InstructGLMError):
    """The experiment file, or an override on the command line."""


class DataError(InstructGLMError):
    """A data file, a row of it, or a split made from it."""


class ModelError(InstructGLMError):
    """A checkpoint, an adapter or a tokenizer."""


class RunError(InstructGLMError):
    """A stage that cannot go on."""


class StorageError(InstructGLMError):
    """A folder that cannot be written or an artifact that is damaged."""


class Terminated(KeyboardInterrupt):
    """Another signal than Ctrl-C's asked this process to end; `number` says which."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
