"""The Python that docs/models.md shows runs as it stands, one block after the other."""

import re
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "models.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def write_p_tuning_checkpoint(folder: Path) -> None:
    """As the official script leaves one: the prefix encoder alone, in a file of its own kind."""
    import torch

    from instructglm.models import load

    config = load("chatglm-tiny")[0].config
    folder.mkdir(parents=True)
    table = torch.randn(8, 2 * config.num_layers * config.hidden_size)
    torch.save({"transformer.prefix_encoder.embedding.weight": table}, folder / "pytorch_model.bin")


def test_every_block_runs_after_those_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_p_tuning_checkpoint(tmp_path / "output" / "checkpoint-3000")
    names: dict[str, object] = {}
    assert len(BLOCKS) >= 6
    for block in BLOCKS:
        exec(compile(block, str(DOCUMENT), "exec"), names)
    assert type(names["again"]).__name__ == "ChatGLMForCausalLM"
    assert (tmp_path / "official-layout" / "config.json").exists()
    assert (tmp_path / "official-layout" / "tokenizer_config.json").exists()
    assert names["filled"].shape[1] > len(names["text"]["input_ids"])
    assert names["labels"][names["context_length"]] != -100
