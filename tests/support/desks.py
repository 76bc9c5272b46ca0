"""The annotator's page in a real browser: a project to work on, and the moves of somebody at it."""

from __future__ import annotations

from typing import Any

from browsers import Seat
from sqlalchemy import select

from instructglm.annotation.queue.answers import Answer, read_answer
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store import Store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import Scale, Settings, create_project
from instructglm.annotation.store.tables import Draft, Submission

TEXTS = ("The landlord has to announce a visit.", "He may come whenever he likes.", "Usually not.\r\nHe must ask.")
POEM = {"instruction": "Write a poem about autumn in Beijing.", "domain": "poetry"}
FLAT = {"instruction": "May a landlord enter without notice?", "domain": "law", "outputs": list(TEXTS)}
REVIEW = {
    "instruction": "Great food, awful service.",
    "domain": "reviews",
    "choices": ["positive", "negative", "mixed"],
}
CRITERIA = {"quality": Scale(labels=("poor", "excellent"))}


def project_of(store: Store, *records: dict[str, Any], **settings: Any) -> int:
    """A project with these items in an open round; each needs two annotators."""
    given = {"annotators_per_item": 2, "gold_share": 0, "criteria": CRITERIA, **settings}
    project = create_project(store, "law", Settings(**given))
    import_records(store, project, [(f"raw:{line}", record) for line, record in enumerate(records, start=1)])
    open_round(store, project)
    return project


class Desk:
    """Somebody at the page of a project."""

    def __init__(self, seat: Seat, store: Store, project: int) -> None:
        self.page, self.person, self.faults = seat.page, seat.person, seat.faults
        self.seat, self.store, self.project = seat, store, project

    def begin(self, **query: int) -> Desk:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        self.seat.open(f"/projects/{self.project}/work?{asked}")
        self.page.locator("#sheet:not([hidden]), #idle:not([hidden])").wait_for()
        return self

    def sees(self, text: str) -> None:
        """Wait until the item's messages say so."""
        self.page.locator("#messages").get_by_text(text).wait_for()

    def write(self, text: str) -> None:
        """Type into the first output of one's own."""
        if not self.page.locator("#written textarea").count():
            self.page.click("#write-more")
        self.page.locator("#written textarea").first.press_sequentially(text)

    @property
    def written(self) -> str:
        return self.page.locator("#written textarea").first.input_value()

    def state(self, name: str, timeout_ms: int = 10_000) -> None:
        """Wait until the page says that it is in this state: "kept", "away", "saved"."""
        self.page.locator(f'#state[data-state="{name}"]').wait_for(timeout=timeout_ms)

    def save(self) -> None:
        self.page.keyboard.press("Control+Enter")

    def idles(self) -> str:
        """Wait until there is no item, and tell what is said of that."""
        self.page.locator("#idle:not([hidden])").wait_for()
        return self.page.locator("#idle-title").inner_text()

    def answers(self) -> list[Answer]:
        """All that this person saved, in its order."""
        with self.store.read() as connection:
            ids = connection.scalars(select(Submission.id).where(Submission.person == self.person))
            return [read_answer(connection, number) for number in sorted(ids)]

    def draft(self) -> Any:
        """The newest draft of this person on the server."""
        with self.store.read() as connection:
            newest = select(Draft.body).where(Draft.person == self.person).order_by(Draft.saved_ms.desc())
            return connection.scalar(newest.limit(1))
