"""A preview tells what the import then does, and stores nothing."""

from annotation_team import items

from instructglm.annotation.exchange import Source, import_rows
from instructglm.annotation.exchange.previewing import preview_rows
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.reading import instructions


def test_a_preview_tells_what_an_import_then_does(store) -> None:
    project = create_project(store, "law")
    import_records(store, project, items(7))
    good = [(place, {**value, "outputs": [*value["outputs"], "another"]}) for place, value in items(9)]
    rows = [*good, ("raw.jsonl:10", {"instruction": ""}), ("raw.jsonl:11", 7), ("x", {"instruction": "New"})]
    before = [one.id for one in instructions(store, project)]
    found = preview_rows(store, project, [Source("raw.jsonl", rows)], num_shown=1)
    assert [one.id for one in instructions(store, project)] == before
    assert (found.num_records, found.num_instructions, found.num_outputs, found.num_answers) == (10, 10, 27, 0)
    assert (len(found.examples), found.num_faults, len(found.faults)) == (3, 2, 1)
    assert found.faults[0].row == "raw.jsonl:10"
    done = import_rows(store, project, [Source("raw.jsonl", rows)], faulty="leave out")
    assert (found.num_new, found.num_faults, found.formats) == (done.num_instructions, len(done.faults), done.formats)


def test_answers_of_another_tool_are_counted(store) -> None:
    project = create_project(store, "law")
    annotation = {"completed_by": 1, "result": [{"type": "choices", "from_name": "a", "value": {"choices": ["yes"]}}]}
    task = {"id": 1, "data": {"text": "Is it?"}, "annotations": [annotation]}
    found = preview_rows(store, project, [Source("tasks.json", [("tasks.json[0]", task)])])
    done = import_rows(store, project, [Source("tasks.json", [("tasks.json[0]", task)])], faulty="leave out")
    assert found.formats == {"tasks.json": "label_studio"}
    assert (found.num_answers, found.num_faults) == (done.num_answers, len(done.faults))
