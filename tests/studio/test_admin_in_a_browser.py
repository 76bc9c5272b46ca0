"""An admin's whole way in a real browser: from the first invitation to an open round, and every page as it is met."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from annotation_team import items
from browsers import PASSWORD, PHONE, serious_faults

from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.invitations import invite
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, add_guideline, create_project, list_projects
from instructglm.annotation.store.reading import instructions
from instructglm.annotation.store.tables import Role

GUIDELINE = "Read the question twice.\nAnswer in whole sentences.\n\nIf a law is named, say which paragraph."
SHOTS = os.environ.get("INSTRUCTGLM_SHOTS")  # a folder: every page is pictured there, to be looked at


def shoot(page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def start(store: Path) -> tuple[subprocess.Popen[str], str]:
    """A server on a new store, and the link for its first admin."""
    command = [sys.executable, "-m", "instructglm.cli.main", "annotate", "serve", "--no-browser", "--port", "0"]
    process = subprocess.Popen([*command, "--store", str(store)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    link = re.search(r"http://\S+/join#\S+", process.stdout.readline())
    assert link is not None
    return process, link[0]


def join(page, link: str, name: str) -> None:
    page.goto(link)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("A password").fill(PASSWORD)
    page.get_by_role("button", name="Join").click()


def test_from_the_first_invitation_to_a_round_in_which_somebody_works(chromium, tmp_path) -> None:
    place = tmp_path / "annotations.db"
    command = [sys.executable, "-m", "instructglm.cli.main", "annotate", "init", "warm up", "--store", str(place)]
    subprocess.run(command, check=True, capture_output=True)
    server, link = start(place)
    context, faults = chromium.new_context(locale="en-GB"), []
    try:
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        join(page, link, "Ada")
        _make_project(page)
        _import(page, tmp_path)
        invitation = _invite(page)
        _second_browser(chromium, invitation)
        _open_round(page)
        _check_log(page)
        assert faults == []
    finally:
        context.close()
        server.kill()
        server.wait()
        server.stdout.close()


def _make_project(page) -> None:
    page.get_by_role("link", name="New project").click()
    page.get_by_label("Name of the project").fill("Law questions")
    page.get_by_role("button", name="Another criterion").click()
    added = page.locator('input[name="criterion"]').last
    assert added.evaluate("field => field === document.activeElement")
    added.fill("correct")
    page.locator('input[name="criterion_high"]').last.fill("3")
    page.locator('textarea[name="criterion_labels"]').last.fill("wrong\nright")
    page.get_by_role("button", name="Make the project").click()
    page.get_by_text("The project is made").wait_for()
    page.get_by_role("link", name="Write the guideline").click()
    page.get_by_label("Text").fill(GUIDELINE)
    page.get_by_role("button", name="Store version 1").click()
    page.get_by_role("link", name="Version 1").wait_for()


def _import(page, folder: Path) -> None:
    records = [
        {"instruction": f"May a neighbour do {n}?", "outputs": ["Yes.", "No."], "domain": "law"} for n in range(5)
    ]
    lines = [json.dumps(one) for one in records]
    lines[2] = '{"instruction": "cut off'
    (folder / "questions.jsonl").write_text("\n".join(lines))
    page.get_by_role("link", name="Instructions", exact=True).click()
    page.get_by_role("link", name="Import instructions").click()
    page.get_by_label("A file").set_input_files(str(folder / "questions.jsonl"))
    page.get_by_role("button", name="Look at it first").click()
    page.get_by_text("questions.jsonl:3: line").wait_for()
    shoot(page, "walk-preview")
    page.get_by_role("button", name="import 4 instructions").click()
    page.get_by_text("4 new instructions and 8 new outputs are stored").wait_for()
    shoot(page, "walk-imported")


def _invite(page) -> str:
    page.locator("details.menu summary").click()
    page.get_by_role("link", name="People", exact=True).click()
    page.get_by_role("button", name="Make a link").click()
    shoot(page, "walk-invited")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    link: str = page.locator("#link").input_value()
    assert page.evaluate("navigator.clipboard.readText()") == link
    assert link in page.locator("#sentence").input_value()
    return link


def _second_browser(chromium, invitation: str) -> None:
    context = chromium.new_context(locale="en-GB")
    page = context.new_page()
    join(page, invitation, "Bo")
    page.get_by_role("heading", name="Law questions").wait_for()
    assert page.get_by_role("link", name="Manage").count() == 0
    context.close()


def _open_round(page) -> None:
    page.goto(page.url.split("/people")[0] + "/projects/2/rounds")
    page.get_by_role("link", name="Open a round").click()
    page.get_by_role("button", name="See what this would do").click()
    page.get_by_text("4items", exact=True).wait_for()
    shoot(page, "walk-planned")
    page.get_by_role("button", name="Open round 1").click()
    page.get_by_text("4 items: 0 of 8 answers are done").wait_for()
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Close the round").click()
    assert page.get_by_text("open", exact=True).is_visible(), "it was not closed: the question was denied"


def _check_log(page) -> None:
    page.locator("details.menu summary").click()
    page.get_by_role("link", name="People", exact=True).click()
    page.get_by_role("link", name="Log").click()
    page.get_by_text("Round 1 opened with 4 items").wait_for()
    page.get_by_role("button", name="Check", exact=True).click()
    page.get_by_text("Every link holds").wait_for()


@pytest.fixture
def filled(served) -> int:
    """A project with all that the pages can show."""
    store = served.store
    project = create_project(store, "Law questions", Settings(annotators_per_domain={"medicine": 3}))
    add_guideline(store, project, GUIDELINE)
    add_guideline(store, project, GUIDELINE.replace("twice", "three times") + "\n\n先读两遍问题。")
    records = [*items(60, domains=("law", "medicine")), ("x", {"instruction": "多人标注的指令：" + "很长的问题" * 40})]
    import_records(store, project, records)
    open_round(store, project)
    import_records(store, project, [("y", {"instruction": "A new one?"})])
    add_person(store, "Cy without a password", Role.ANNOTATOR)
    invite(store, Role.REVIEWER)
    return project


def paths(project: int) -> dict[str, str]:
    here = f"/projects/{project}"
    return {
        "people": "/people",
        "remove": "/people/1/remove",
        "log": "/log",
        "new": "/projects/new",
        "settings": f"{here}/settings",
        "guideline": f"{here}/settings/guideline",
        "version": f"{here}/settings/guideline/2",
        "items": f"{here}/items",
        "item": f"{here}/items/1",
        "import": f"{here}/import",
        "rounds": f"{here}/rounds",
        "round-new": f"{here}/rounds/new?which=few&fewer_than=1",
        "round-more": f"{here}/rounds/more?which=all&extra=1",
        "reset": "/reset",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_bars_anybody(served, seat, filled, scheme) -> None:
    admin = seat(Role.ADMIN, bypass_csp=True, color_scheme=scheme)
    for name, path in paths(filled).items():
        admin.open(path)
        assert serious_faults(admin.page) == [], name
        shoot(admin.page, f"{name}-{scheme}")


def test_every_page_fits_a_telephone_in_chinese_and_runs_no_script_that_fails(served, seat, filled) -> None:
    admin = seat(Role.ADMIN, **{**PHONE, "locale": "zh-CN"})
    for name, path in paths(filled).items():
        admin.open(path)
        shoot(admin.page, f"{name}-phone-zh")
        wide = admin.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} pixels too wide"
        assert re.search("[\u4e00-\u9fff]", admin.page.inner_text("main")), name
    assert admin.faults == []


def test_rows_are_added_and_removed_by_keyboard_alone(served, seat, filled) -> None:
    admin = seat(Role.ADMIN)
    admin.open(f"/projects/{filled}/settings")
    page = admin.page
    page.get_by_role("button", name="Another domain").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("physics")
    page.keyboard.press("Tab")
    page.keyboard.type("4")
    page.get_by_role("button", name="Remove: medicine").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_text("Saved.").wait_for()
    assert list_projects(served.store)[0].settings.annotators_per_domain == {"physics": 4}


def test_a_file_that_would_be_refused_is_not_sent(served, seat, filled, tmp_path) -> None:
    admin = seat(Role.ADMIN)
    (tmp_path / "large.jsonl").write_bytes(b"x" * (33 * 2**20))
    admin.open(f"/projects/{filled}/import")
    admin.page.get_by_label("A file").set_input_files(str(tmp_path / "large.jsonl"))
    admin.page.get_by_role("button", name="Look at it first").click()
    admin.page.get_by_text("This file is larger than 32 MB").wait_for()
    assert len(list(instructions(served.store, filled))) == 62
