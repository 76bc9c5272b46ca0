"""`annotate serve` as a process: who may serve a store, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx2 as httpx
import pytest
from browsers import Served
from visitors import csrf_in

from instructglm.annotation.store import Store, open_store
from instructglm.annotation.store.people import list_people
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.sessions import start_session
from instructglm.studio.guard import COOKIE


def _serve(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A server that is expected to refuse."""
    command = [sys.executable, "-m", "instructglm.cli.main", "annotate", "serve", "--no-browser", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_file_has_one_server_whatever_it_is_called(served: Served, tmp_path: Path) -> None:
    other_name = tmp_path / "linked.db"
    other_name.symlink_to(served.place)
    for place in (served.place, f"sqlite:///{served.place}", other_name):
        refused = _serve("--store", place, "--port", 0)
        assert (refused.returncode, "another server has it open" in refused.stderr) == (2, True), place
        assert "Traceback" not in refused.stderr
    assert httpx.get(f"{served.url}/sign-in").status_code == 200


def test_a_port_that_is_taken_is_told(served: Served, tmp_path: Path) -> None:
    open_store(tmp_path / "other.db", create=True).close()
    refused = _serve("--store", tmp_path / "other.db", "--port", served.port)
    assert refused.returncode == 2
    assert f"cannot listen on 127.0.0.1:{served.port}" in refused.stderr
    assert "--port 0" in refused.stderr


def _visitor(served: Served, store: Store) -> httpx.Client:
    """The owner, in a browser of their own; what they send carries the token."""
    cookies = {COOKIE: start_session(store, list_people(store)[0].id)}
    client = httpx.Client(base_url=served.url, cookies=cookies)
    client.headers["X-CSRF-Token"] = csrf_in(client.get("/account").text)
    return client


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_is_ended_leaves_no_upload_behind(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals
) -> None:
    served.kill()
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    served.start()
    project = create_project(served.store, "law")
    with closing(_visitor(served, served.store)) as owner:
        lines = b'{"instruction": "Why?"}\n' * 3
        answer = owner.post(f"/projects/{project}/import/preview", files={"file": ("lines.jsonl", lines)})
        assert answer.status_code == 200
    (kept,) = folder.glob("instructglm-uploads-*")
    assert len(list(kept.iterdir())) == 1
    served.end(how)
    assert list(folder.iterdir()) == []
