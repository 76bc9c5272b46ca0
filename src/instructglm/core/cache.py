"""Where downloaded and converted things are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the user's cache folder, which need not exist yet.

    `INSTRUCTGLM_CACHE` names it; else it is `instructglm` in `XDG_CACHE_HOME`, else in `~/.cache`.
    All of it can be fetched or made again.
    """
    if own := os.environ.get("INSTRUCTGLM_CACHE"):
        return Path(own).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore a relative path here.
    home = Path(shared) if Path(shared).is_absolute() else Path.home() / ".cache"
    return home / "instructglm"
