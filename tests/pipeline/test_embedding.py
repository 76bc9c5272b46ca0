"""Texts as vectors by a model in a folder: what the model itself gives, whatever the batch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from instructglm.core.errors import ModelError
from instructglm.pipeline.embedding import open_embedder

TEXTS = ["Is it lawful?", "这份合同有效吗？请说明理由，并举出三个例子。", "a", "\0\u202e" * 5, "long " * 2_000]


def alone(folder: Path, text: str, pooling: str) -> np.ndarray:
    """One text, without padding."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    encoded = tokenizer(text, truncation=True, max_length=512, return_tensors="pt")
    with torch.no_grad():
        states = model.eval()(input_ids=encoded["input_ids"]).last_hidden_state[0].float()
    return (states[0] if pooling == "cls" else states.mean(dim=0)).numpy()


def test_a_text_is_embedded_as_if_it_were_alone(tiny_model: Path) -> None:
    rows = open_embedder(tiny_model)(TEXTS)
    for text, row in zip(TEXTS, rows, strict=True):
        np.testing.assert_allclose(row, alone(tiny_model, text, "mean"), atol=2e-3)


def test_pooling_is_what_the_folder_says(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for file in tiny_model.iterdir():
        (folder / file.name).symlink_to(file)
    told = folder / "1_Pooling" / "config.json"
    told.parent.mkdir()
    told.write_text(json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))
    np.testing.assert_allclose(open_embedder(folder)(TEXTS[:2])[1], alone(tiny_model, TEXTS[1], "cls"), atol=2e-3)
    told.write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(ModelError, match="found pooling_mode_max_tokens"):
        open_embedder(folder)


def test_nothing_is_fetched_and_damage_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json") as caught:
        open_embedder("sentence-transformers/all-MiniLM-L6-v2")
    assert "local folder" in caught.value.hint
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_embedder(tmp_path)
