"""The annotator's pages without a browser: what they say, and that texts stay texts."""

from __future__ import annotations

import json
import re

import pytest
from annotation_team import items

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.gold import Gold, add_gold
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.queue.save import save
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import Settings, add_guideline, create_project
from instructglm.annotation.store.tables import Role
from instructglm.studio.guideline import blocks

WICKED = "</script><script>alert(1)</script> {{ 7*7 }} \u202e"


@pytest.fixture
def wicked(local_store) -> int:
    project = create_project(local_store, WICKED, Settings(annotators_per_item=1, gold_share=0))
    import_records(local_store, project, items(60))
    open_round(local_store, project)
    return project


def test_nothing_that_people_wrote_is_markup(wicked, visit, local_store):
    ann = visit(Role.ANNOTATOR)
    add_guideline(local_store, wicked, f"# {WICKED}\n- {WICKED}\n\n{WICKED}")
    task = next_task(local_store, wicked, ann.person)
    save(local_store, ann.person, task.assignment, Answer(comment=WICKED, skip=None), key="1")
    for name in ("work", "mine", "guideline"):
        page = ann.get(f"/projects/{wicked}/{name}")
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "{{ 7*7 }}" in page.text


def test_the_page_carries_what_its_script_needs(wicked, visit, local_store):
    ann = visit(Role.ANNOTATOR)
    add_guideline(local_store, wicked, WICKED)
    page = ann.get(f"/projects/{wicked}/work").text
    setting = json.loads(re.search(r'id="setting">(.*?)</script>', page)[1])
    assert (setting["project"], setting["person"], setting["renewMs"]) == (wicked, ann.person, 60_000)
    assert setting["guideline"]["blocks"][0]["texts"] == [WICKED]


def test_ones_answers_come_in_pages(wicked, visit, local_store):
    ann = visit(Role.ANNOTATOR)
    for number in range(52):
        task = next_task(local_store, wicked, ann.person)
        save(local_store, ann.person, task.assignment, Answer(label="yes"), key=str(number))
    first = ann.get(f"/projects/{wicked}/mine").text
    assert first.count("<article") == 50
    older = re.search(r'href="(/projects/\d+/mine\?before=\d+)"', first)[1]
    second = ann.get(older).text
    assert second.count("<article") == 2
    assert "?before=" not in second


def test_earlier_versions_of_the_guideline_can_be_read(wicked, visit, local_store):
    ann = visit(Role.ANNOTATOR)
    path = f"/projects/{wicked}/guideline"
    assert "There is no guideline yet" in ann.get(path).text
    for text in ("# First", "# Second"):
        add_guideline(local_store, wicked, text)
    assert "<h2>Second</h2>" in ann.get(path).text
    old = ann.get(f"{path}?version=1").text
    assert "<h2>First</h2>" in old
    assert "This is an earlier version." in old
    assert ann.get(f"{path}?version=3").status_code == 404


@pytest.mark.parametrize("name", ["work", "mine", "guideline"])
def test_a_project_that_is_not_there_is_a_404(name, visit):
    assert visit(Role.ANNOTATOR).get(f"/projects/99/{name}").status_code == 404


def test_a_text_falls_into_headings_lists_and_paragraphs():
    text = "# One\nA line\r\nand another\n\n- a\n* b\n\n1. c\n2、d\n\n\n#no heading\n####  Four"
    assert [(one.kind, one.level, one.texts) for one in blocks(text)] == [
        ("heading", 1, ("One",)),
        ("paragraph", 1, ("A line\nand another",)),
        ("bullets", 1, ("a", "b")),
        ("numbers", 1, ("c", "d")),
        ("paragraph", 1, ("#no heading",)),
        ("heading", 4, ("Four",)),
    ]


def test_the_first_page_does_not_tell_which_items_count_for_the_round(visit, local_store):
    project = create_project(local_store, "law", Settings(gold_share=1.0))
    import_records(local_store, project, items(3))
    add_gold(local_store, project, [Gold(instruction=1, label="yes")])
    open_round(local_store, project)
    ann, told = visit(Role.ANNOTATOR), []
    for number in range(2):
        assignment = ann.send(f"/api/projects/{project}/next", None).json()["task"]["assignment"]
        ann.send(f"/api/assignments/{assignment}/save", {"answer": {"label": "yes"}, "key": str(number)})
        told.append(re.sub(r"<[^>]*>", "", ann.get("/").text))
    assert told[0].replace("you gave 1 answers", "you gave 2 answers") == told[1]
    assert "<progress" not in ann.get("/").text
    assert "1 of 4 answers" in visit(Role.REVIEWER).get("/").text  # the other one was gold
