"""What a command that is running tells on its standard error."""

from __future__ import annotations

import subprocess


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """Read until `text` was told; all that was told until then."""
    told = ""
    while text not in told:
        line = process.stderr.readline()
        assert line, f"it ended without telling {text!r}:\n{told}"
        told += line
    return told
