"""Texts as vectors, by a model in a folder, for diversity by meaning. Nothing is fetched from anywhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from instructglm.annotation.collecting.diversity import Embed
from instructglm.core.errors import ModelError
from instructglm.models.hardware import choose_device

_BATCH = 32  # texts
_LONGEST = 512  # tokens of a text
_POOLING = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}
_HINT = "Give a local folder with config.json, tokenizer and model.safetensors, as sentence-transformers saves one."


@dataclass(frozen=True)
class _Embedder:
    model: Any
    tokenizer: Any
    pooling: str
    device: torch.device

    def __call__(self, texts: Sequence[str]) -> NDArray[np.floating]:
        """One row a text, (T, D) float32. Similar lengths go together, for less padding."""
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        rows: dict[int, NDArray[np.floating]] = {}
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            rows.update(zip(batch, self._embed([texts[number] for number in batch]), strict=True))
        return np.stack([rows[number] for number in range(len(texts))])

    @torch.no_grad()
    def _embed(self, texts: list[str]) -> NDArray[np.floating]:
        longest = min(_LONGEST, getattr(self.model.config, "max_position_embeddings", _LONGEST))
        encoded = self.tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        ids, mask = encoded["input_ids"].to(self.device), encoded["attention_mask"].to(self.device)
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()  # (B, T, D)
        if self.pooling == "cls":
            pooled = states[:, 0]
        else:
            weights = mask.unsqueeze(-1).float()
            pooled = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        found: NDArray[np.floating] = pooled.cpu().numpy()
        return found


def open_embedder(folder: str | Path) -> Embed:
    """What embeds texts with the model of a folder: the mean of its last states, or what `1_Pooling` there says.

    Raises:
        ModelError: there is no such folder, no model in it, or its way of pooling is another.
    """
    place = Path(folder).expanduser()
    if not (place / "config.json").is_file():
        raise ModelError(f"{folder}: found no model there (no config.json)", hint=_HINT)
    device = choose_device()
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(place, local_files_only=True)
        model: Any = AutoModel.from_pretrained(place, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(f"{folder}: cannot be loaded: {first}", hint=_HINT) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"  # the first token stands first
    return _Embedder(model.to(device).eval(), tokenizer, _pooling(place), device)


def _pooling(place: Path) -> str:
    file = place / "1_Pooling" / "config.json"
    if not file.is_file():
        return "mean"
    told = json.loads(file.read_text("utf-8"))
    modes = [name for name, value in told.items() if name.startswith("pooling_mode_") and value is True]
    if len(modes) != 1 or modes[0] not in _POOLING:
        known = ", ".join(_POOLING)
        raise ModelError(f"{file}: found {', '.join(modes) or 'no way of pooling'}; known: {known}", hint=_HINT)
    return _POOLING[modes[0]]
