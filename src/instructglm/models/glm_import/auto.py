"""The way from transformers' Auto classes to a `GlmForCausalLM`, for folders of `model_type: chatglm`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import GlmConfig

from instructglm.models.glm_import.config import glm_config_of
from instructglm.models.glm_import.layout import read_official_layout


def auto_config(config: Mapping[str, Any], **settings: Any) -> Any:
    """What the `from_dict` of a config class returns, for ChatGLM2 and later: a `GlmConfig`.

    Makes the official weights readable, so that `AutoModelForCausalLM.from_pretrained`
    goes on from here.

    Args:
        config: The content of config.json.
        settings: As `from_dict` is given them; `name_or_path` leads to more signs of the generation.

    Raises:
        ModelError: see `glm_config_of`.
    """
    read_official_layout()
    name = str(settings.get("name_or_path") or "")
    if (Path(name) / "config.json").is_file():
        own = glm_config_of(config, Path(name))
    else:
        own = glm_config_of({"name_or_path": name, **config})
    return GlmConfig.from_dict(own.to_dict(), **settings)
