"""Real browsers before a real server: `annotate serve` in a process of its own, and Debian's Chromium without a window.

def test_something(served, seat):
    project = create_project(served.store, "law")
    ann = seat(Role.ANNOTATOR)
    ann.open(f"/projects/{project}/work")
    served.kill(); served.start()            # the same store on the same port
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest

from instructglm.annotation.store import Store, open_store
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.sessions import start_session
from instructglm.annotation.store.tables import Role
from instructglm.studio.guard import COOKIE

PASSWORD = "a sentence of nobody else"
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
"""Options of a `seat`: a small telephone."""
_NAMES = count(1)


@dataclass
class Served:
    """A server over a store; `store` is the test's own door to the same database."""

    store: Store
    place: Path | str
    port: int = 0
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it: on a free port at first, later on the same one."""
        command = [sys.executable, "-m", "instructglm.cli.main", "annotate", "serve", "--no-browser"]
        command += ["--store", str(self.place), "--port", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert " is served at http://" in said, f"the server did not start: {said!r}"
        self.port = int(said.rsplit(":", 1)[1])

    def kill(self) -> None:
        """End it as a loss of power would (SIGKILL)."""
        self.end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        self.end(signal.SIGINT)

    def end(self, how: signal.Signals) -> None:
        """Send it this signal, and wait for its end."""
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(timeout=20)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None


@dataclass
class Seat:
    """Somebody before a browser of their own, signed in. `faults`: errors of scripts, and what the policy forbade."""

    page: Any
    person: int
    name: str
    url: str
    faults: list[str]

    def open(self, path: str) -> Any:
        """Go to a page of ours; what answered."""
        return self.page.goto(self.url + path)


class TakeSeat(Protocol):
    """Somebody sits down: a new person of this role, or `person`; `options` are those of a browser context."""

    def __call__(self, role: Role = Role.ANNOTATOR, *, person: int | None = None, **options: Any) -> Seat: ...


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A running server over an empty store."""
    place = tmp_path / "annotations.db"
    with open_store(place, create=True) as store:
        add_person(store, "Owner", Role.ADMIN, PASSWORD)  # or the server would invite a first one
        server = Served(store, place)
        server.start()
        yield server
        server.kill()


@pytest.fixture(scope="module")  # while it is there, asyncio.run is not possible in this thread
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    absent: Callable[[str], Any] = pytest.fail if os.environ.get("CI") else pytest.skip
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        absent("Chromium is not installed (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        absent("playwright is not installed (pip install playwright)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def seat(served: Served, chromium: Any) -> Iterator[TakeSeat]:
    """Lets people sit down; their browsers are closed in the end."""
    contexts: list[Any] = []

    def take(role: Role = Role.ANNOTATOR, *, person: int | None = None, **options: Any) -> Seat:
        name = f"{role} {next(_NAMES)}"
        person = person or add_person(served.store, name, role, PASSWORD)
        context = chromium.new_context(**{"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(10_000)
        context.add_cookies([{"name": COOKIE, "value": start_session(served.store, person), "url": served.url}])
        faults: list[str] = []
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: _note(said, faults))
        return Seat(page, person, name, served.url, faults)

    yield take
    for context in contexts:
        context.close()


def _note(said: Any, faults: list[str]) -> None:
    """Errors alone; an answer that is an error, or none, is what some tests are about."""
    if said.type == "error" and "Failed to load resource" not in said.text:
        faults.append(said.text)


def serious_faults(page: Any) -> list[str]:
    """What axe-core finds against accessibility, serious or critical. Needs `seat(..., bypass_csp=True)`."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes']][:3]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
