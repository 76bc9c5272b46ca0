"""Makes annotating.png, the picture of the annotator's page.

    python docs/pictures/annotating.py

It needs Chromium and playwright (pip install 'instructglm[annotate]' playwright).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, sync_playwright

from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store import open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Scale, Settings, add_guideline, create_project
from instructglm.annotation.store.sessions import start_session
from instructglm.annotation.store.tables import Role
from instructglm.studio.guard import COOKIE

PICTURE = Path(__file__).with_suffix(".png")
ITEM = {
    "instruction": "Who is liable when a cyclist without lights is hit by a car at night?",
    "domain": "traffic law",
    "outputs": [
        "The driver alone is liable.",
        "Usually both: the driver for the danger of the car, the cyclist for riding without lights.",
    ],
}
GUIDELINE = """# What to do
Rate how well each output serves somebody who knows no law.

- Where none is good, write a better one.
- Reject what is false, and say why.
"""


def fill(place: Path) -> str:
    """A store with one item in an open round; a session of its annotator, and so an admin stands there before."""
    with open_store(place, create=True) as store:
        add_person(store, "Lead", Role.ADMIN, "a sentence of nobody else")
        settings = Settings(gold_share=0, criteria={"quality": Scale(labels=("poor", "excellent"))})
        project = create_project(store, "law", settings)
        add_guideline(store, project, GUIDELINE)
        import_records(store, project, [("picture:1", ITEM)])
        open_round(store, project)
        return start_session(store, add_person(store, "Ann", Role.ANNOTATOR, "a sentence of nobody else"))


def annotate(page: Page) -> None:
    """Rate both outputs, the better one higher, and put both into a ranking."""
    page.locator("#sheet:not([hidden])").wait_for()
    for card in page.locator("[data-output]").all():
        is_good = "Usually both" in card.inner_text()
        card.locator("label", has_text="4" if is_good else "2").first.click()
    for text in ("Usually both", "The driver"):
        page.locator("[data-tray] .chip", has_text=text).locator("button[data-move=up]:visible").click()
    page.locator('#state[data-state="kept"]').wait_for()
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")


def main() -> None:
    """Serve the store, take the picture, and leave nothing else behind."""
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        place = Path(folder) / "annotations.db"
        session = fill(place)
        command = [sys.executable, "-m", "instructglm.cli.main", "annotate", "serve", "--no-browser", "--port", "0"]
        with subprocess.Popen([*command, "--store", str(place)], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            url = server.stdout.readline().rsplit(" ", 1)[1].strip()
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            context = browser.new_context(locale="en-GB", viewport={"width": 1100, "height": 860})
            context.add_cookies([{"name": COOKIE, "value": session, "url": url}])
            page = context.new_page()
            page.goto(f"{url}/projects/1/work")
            annotate(page)
            page.screenshot(path=PICTURE)
            browser.close()
            server.terminate()


if __name__ == "__main__":
    main()
