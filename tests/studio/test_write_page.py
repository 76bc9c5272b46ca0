"""Writing an instruction: stored once, faults at their fields, and what is nearly the same told while one types."""

from __future__ import annotations

from browsers import serious_faults

from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.reading import instructions
from instructglm.annotation.store.tables import Role

FLAT = "May a landlord enter a rented flat without notice?"


def test_an_instruction_is_stored_once_with_all_that_is_told_of_it(visit, project, local_store):
    admin = visit(Role.ADMIN)
    fields = {"instruction": FLAT + "\r\nSay why.", "domain": "law", "language": "en", "choices": "yes\r\n no \r\n\r\n"}
    for done in ("stored", "known"):
        answer = admin.form(f"/projects/{project}/write", **fields)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/projects/{project}/write?done={done}")
    (held,) = instructions(local_store, project)
    assert held.messages == [{"role": "user", "content": FLAT + "\nSay why."}]
    assert (held.domain, held.language, held.choices) == ("law", "en", ["yes", "no"])


def test_what_is_wrong_is_told_and_what_was_typed_stays(visit, project, local_store):
    admin = visit(Role.ADMIN)
    answer = admin.form(f"/projects/{project}/write", instruction="  ", source="a letter <b>", domain="x" * 201)
    assert answer.status_code == 400
    assert "Something has to stand here" in answer.text
    assert "a letter &lt;b&gt;" in answer.text
    assert list(instructions(local_store, project)) == []


def test_nearly_the_same_is_found_and_what_is_withdrawn_is_not(visit, project, local_store):
    admin = visit(Role.ADMIN)
    import_records(local_store, project, [("a", {"instruction": FLAT}), ("b", {"instruction": "写一首关于秋天的诗。"})])
    found = admin.send(f"/api/projects/{project}/alike", {"text": FLAT.replace("notice", "warning")}).json()
    assert [one["text"] for one in found] == [FLAT]
    assert 0.5 < found[0]["similarity"] < 1
    assert admin.send(f"/api/projects/{project}/alike", {"text": "Bake a cake."}).json() == []
    assert admin.send("/api/projects/99/alike", {"text": FLAT}).status_code == 404


def test_while_one_types(served, seat):
    project = create_project(served.store, "law")
    import_records(served.store, project, [("a", {"instruction": FLAT})])
    admin = seat(Role.ADMIN, bypass_csp=True)
    admin.open(f"/projects/{project}/write")
    admin.page.get_by_label("Instruction").press_sequentially("May a landlord enter a rented flat without asking?")
    admin.page.locator("#alike li").get_by_text(FLAT).wait_for()
    assert serious_faults(admin.page) == []
    admin.page.get_by_label("Domain").fill("law")
    admin.page.get_by_role("button", name="Store it").click()
    admin.page.get_by_text("The instruction is stored.").wait_for()
    assert len(list(instructions(served.store, project))) == 2
    assert admin.faults == []
