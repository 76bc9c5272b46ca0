"""The whole way of a team in real browsers: invited, signed in, written, ranked, disagreed, decided, frozen."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsers import PASSWORD

from instructglm.annotation.store import open_store
from instructglm.annotation.store.verify import verify

QUESTIONS = (
    {
        "instruction": "May a landlord enter a rented flat without notice?",
        "domain": "law",
        "outputs": ["Yes, it is his.", "Only with the tenant's consent."],
    },
    {"instruction": "此合同条款有效吗？", "domain": "law", "choices": ["有效", "无效"]},
)
WRITTEN = {"Ann": "No: he has to announce his visit.", "Bo": "Usually not; 紧急情况除外。"}
LABELS = {"Ann": "1", "Bo": "2"}
GONE = """item => document.getElementById("sheet").hidden || document.getElementById("messages").innerText !== item"""


class Team:
    """One server, and everybody's own browser."""

    def __init__(self, chromium: Any, store: Path) -> None:
        self.store, self._chromium = store, chromium
        self.pages: dict[str, Any] = {}
        self.faults: list[str] = []
        serve = [sys.executable, "-m", "instructglm.cli.main", "annotate", "serve", "--no-browser", "--port", "0"]
        self._server = subprocess.Popen([*serve, "--store", str(store)], stdout=subprocess.PIPE, text=True)
        assert self._server.stdout is not None
        self.url = self._server.stdout.readline().split()[-1]
        self.link = self._server.stdout.readline().split()[-1]

    def join(self, name: str, link: str) -> Any:
        """Come by an invitation, sign out, and sign in with the password that was chosen."""
        context = self._chromium.new_context(locale="en-GB")
        context.set_default_timeout(10_000)
        page = self.pages[name] = context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"{name}: {error}"))
        page.goto(link)
        page.get_by_label("Your name").fill(name)
        page.get_by_label("A password").fill(PASSWORD)
        page.get_by_role("button", name="Join").click()
        page.locator("details.menu summary").click()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Projects").wait_for()
        return page

    def invite(self, role: str) -> str:
        """A link that the admin hands to somebody."""
        page = self.pages["Ada"]
        page.goto(f"{self.url}/people")
        page.locator('form[action="/people/invitations"] select[name="role"]').select_option(role)
        page.get_by_role("button", name="Make a link").click()
        return str(page.locator("#link").input_value())

    def end(self) -> None:
        for page in self.pages.values():
            page.context.close()
        self._server.kill()
        self._server.wait()
        assert self._server.stdout is not None
        self._server.stdout.close()


def terminal(*arguments: object) -> str:
    command = [sys.executable, "-m", "instructglm.cli.main", "annotate", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def team(chromium: Any, tmp_path: Path) -> Iterator[Team]:
    store, questions = tmp_path / "annotations.db", tmp_path / "questions.jsonl"
    questions.write_text("\n".join(json.dumps(one) for one in QUESTIONS), encoding="utf-8")
    terminal("init", "law", "--store", store)
    terminal("import", "law", questions, "--store", store)
    team = Team(chromium, store)
    yield team
    team.end()


def test_from_the_first_invitation_to_a_snapshot(team: Team, tmp_path: Path) -> None:
    team.join("Ada", team.link)
    for name, role in (("Ann", "annotator"), ("Bo", "annotator"), ("Rita", "reviewer")):
        team.join(name, team.invite(role))
    _open_round(team)
    for name in ("Ann", "Bo"):
        _annotate(team, name)
    _decide(team)
    assert team.faults == []
    examples = _freeze(team, tmp_path / "snapshots")
    (flat,) = [one for one in examples if "landlord" in json.dumps(one)]
    (clause,) = [one for one in examples if "landlord" not in json.dumps(one)]
    assert {one["text"] for one in flat["outputs"]} == {WRITTEN["Bo"]}
    assert [one["text"] for one in clause["outputs"]] == ["无效"]
    with open_store(team.store) as store:
        assert verify(store).broken is None


def _open_round(team: Team) -> None:
    page = team.pages["Ada"]
    page.goto(f"{team.url}/projects/1/rounds/new")
    page.get_by_role("button", name="See what this would do").click()
    page.get_by_role("button", name="Open round 1").click()
    page.get_by_text("2 items: 0 of 4 answers are done").wait_for()


def _annotate(team: Team, name: str) -> None:
    """Both items, in whatever order they come."""
    page = team.pages[name]
    page.goto(team.url)
    page.get_by_role("link", name="Annotate").click()
    for _ in QUESTIONS:
        page.locator("#sheet:not([hidden]) #messages li").first.wait_for()
        missing = page.locator("#label-part").is_hidden()
        if missing:
            _rank_and_write(page, name)
        else:
            page.keyboard.press(LABELS[name])
        item = page.locator("#messages").inner_text()
        page.keyboard.press("Control+Enter")
        if missing:  # no rating is given: that is told once, and may be meant
            page.locator("#notice:not([hidden])").wait_for()
            page.keyboard.press("Control+Enter")
        page.wait_for_function(GONE, arg=item)
    page.locator("#idle:not([hidden])").wait_for()


def _rank_and_write(page: Any, name: str) -> None:
    """Ann puts the outputs in the order shown, Bo in the opposite one: they split."""
    for _ in range(2):
        tray = page.locator("[data-tray] [data-handle]")
        (tray.first if name == "Ann" else tray.last).focus()
        page.keyboard.press("ArrowUp")
    page.click("#write-more")
    page.locator("#written textarea").first.fill(WRITTEN[name])


def _decide(team: Team) -> None:
    """Rita accepts what Bo wrote, and says which label is right."""
    page = team.pages["Rita"]
    page.goto(f"{team.url}/projects/1/review")
    page.locator("#start").click()
    for _ in QUESTIONS:
        page.wait_for_selector("#verdict")
        case = page.url
        if page.get_by_text("landlord").count():
            shown = page.locator("article, section, li").filter(has_text=WRITTEN["Bo"]).last
            shown.get_by_role("checkbox").check()
        else:
            page.get_by_role("radio", name=re.compile("无效")).check()
        page.locator("#reason").fill("It names the exception.")
        page.get_by_role("button", name="Decide").click()
        page.wait_for_url(lambda url, case=case: url != case)


def _freeze(team: Team, out: Path) -> list[dict[str, Any]]:
    terminal("snapshot", "law", "--store", team.store, "--out", out)
    (file,) = out.glob("*/examples.jsonl")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
