"""Fetching from a hub: a small server of our own stands for it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch

from instructglm.core.errors import ModelError
from instructglm.models.loading import load, load_tokenizer, model_fingerprint
from instructglm.models.places import folder_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves a folder as the model `someone/tiny`, and keeps a list of the files that were fetched."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.folder = folder
        self.fetched: list[str] = []

    def files(self) -> dict[str, bytes]:
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        self.answer(with_content=True)

    def do_HEAD(self) -> None:
        self.answer(with_content=False)

    def answer(self, *, with_content: bool) -> None:
        files, path = self.server.files(), self.path.partition("?")[0]
        name = path.partition(f"/someone/tiny/resolve/{COMMIT}/")[2]
        if name in files:
            if with_content:
                self.server.fetched.append(name)
            self.send(200, files[name], with_content, ETag=f'"{hashlib.sha1(files[name]).hexdigest()}"')
        elif path.startswith("/api/models/someone/tiny/tree/"):
            entries = [{"type": "file", "path": name, "size": len(files[name]), "oid": "0"} for name in files]
            self.send(200, json.dumps(entries).encode(), with_content)
        elif path.startswith("/api/models/someone/tiny"):
            about = {"id": "someone/tiny", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
            self.send(200, json.dumps(about).encode(), with_content)
        else:
            code = "GatedRepo" if "/gated" in path else "RepoNotFound"
            self.send(403 if code == "GatedRepo" else 404, b"{}", with_content, **{"X-Error-Code": code})

    def send(self, status: int, content: bytes, with_content: bool, **headers: str) -> None:
        self.send_response(status)
        for header, value in {"X-Repo-Commit": COMMIT, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(header, value)
        self.end_headers()
        if with_content:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hub(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "on-hub"))
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.safetensors").write_bytes(b"never asked for")
    (folder / "consolidated.safetensors").write_bytes(b"never asked for")
    with Hub(folder) as server:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        files = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def same(model: object, folder: Path) -> bool:
    weights = dict(load(folder)[0].named_parameters())
    return all(torch.equal(weight, weights[name]) for name, weight in model.named_parameters())  # type: ignore[attr-defined]


def test_a_model_is_fetched_once_and_only_what_it_needs(hub, tiny_model):
    (hub.folder / "pytorch_model.bin").write_bytes(b"never asked for")
    model, tokenizer = load("someone/tiny")
    assert same(model, tiny_model)
    assert tokenizer is not None
    assert model.name_or_path == "someone/tiny"
    assert len(hub.fetched) == len(set(hub.fetched))
    assert {name for name in hub.fetched if not name.endswith((".json", ".jinja"))} == {"model.safetensors"}
    before = list(hub.fetched)
    load("someone/tiny")
    assert hub.fetched == before


def test_bin_files_are_fetched_where_there_are_no_safetensors(hub, tiny_model):
    model, _ = load(tiny_model)
    weights = {name: weight for name, weight in model.state_dict().items() if name != "lm_head.weight"}
    torch.save(weights, hub.folder / "pytorch_model.bin")
    (hub.folder / "model.safetensors").unlink()
    assert same(load("someone/tiny")[0], tiny_model)


def test_a_tokenizer_or_a_name_needs_no_weights(hub):
    assert load_tokenizer("someone/tiny").decode([5])
    assert model_fingerprint("someone/tiny") == {"name_or_path": "someone/tiny", "commit": COMMIT}
    assert "model.safetensors" not in hub.fetched


def test_what_was_fetched_serves_without_the_hub(hub, tiny_model, monkeypatch):
    load("someone/tiny")
    hub.shutdown()
    hub.server_close()
    assert same(load("someone/tiny")[0], tiny_model)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert same(load("someone/tiny")[0], tiny_model)


def test_weights_that_were_not_fetched_are_missed_without_the_hub(hub, monkeypatch):
    load_tokenizer("someone/tiny")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="no weights"):
        load("someone/tiny")


@pytest.mark.parametrize("name", ["chatglm-tny", "embeded"])
def test_a_slip_in_a_name_of_our_own_is_told(hub, name):
    with pytest.raises(ModelError) as caught:
        load(name)
    assert "Did you mean" in caught.value.hint
    assert "chatglm-tiny" in caught.value.hint


def test_a_hub_that_has_it_not_or_wants_its_licence_accepted_is_told(hub):
    with pytest.raises(ModelError, match="as a hub id: the hub has no such model, or none that you may read"):
        folder_of("someone/other")
    with pytest.raises(ModelError, match="wants this model's licence accepted first"):
        folder_of("someone/gated")
