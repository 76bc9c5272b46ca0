"""Standard streams that are closed, full, or have lost their reader."""

from __future__ import annotations

import errno
import os
import sys

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def open_closed_streams() -> None:
    """Let streams that the shell closed (`>&-`) swallow what is written to them.

    Their numbers must not go to the next file that is opened, or a library's
    warning would be written into it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(number)
    # They live as long as the process.
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def is_full(error: OSError) -> bool:
    """Whether a stream (which has no file name) takes no more."""
    return error.filename is None and error.errno in _FULL


def drop_output() -> None:
    """Forget what is still to be printed: Python must not try again on its way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
