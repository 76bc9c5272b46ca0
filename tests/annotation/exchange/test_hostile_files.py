"""Files that are wrong on purpose: each is named with its place, and nothing of it is stored."""

import json
from typing import Any

import pytest
from exchanged import content, taken

from instructglm.annotation.exchange import FORMATS
from instructglm.annotation.store import open_store
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.verify import verify
from instructglm.core.errors import ConfigError, DataError

OWN: dict[str, Any] = {
    "instruction": {"messages": [{"role": "user", "content": "Why?"}], "choices": ["yes"], "extra": {"a": 1}},
    "outputs": [
        {"text": "So.", "origin": "imported"},
        {"text": "Thus.", "origin": "person", "person": "Ann", "round": 1, "edited_from": 0},
    ],
    "answers": [
        {
            "person": "Ann",
            "round": 1,
            "guideline": 1,
            "at_ms": 5,
            "took_ms": 7,
            "edits": [1],
            "ratings": [{"output": 0, "criterion": "quality", "value": 3}],
            "ranks": [{"output": 0, "rank": 1}],
            "label": "yes",
            "rejected": [{"output": 0, "reason": "rude"}],
            "comment": "hm",
        }
    ],
}
TASK: dict[str, Any] = {
    "data": {"prompt": "Why?", "answer1": "So.", "choices": ["yes"], "extra": {"a": 1}},
    "annotations": [
        {
            "completed_by": {"id": 3, "email": "a@b"},
            "result": [
                {"type": "rating", "from_name": "quality", "to_name": "answer1", "value": {"rating": 3}},
                {"type": "choices", "from_name": "label", "to_name": "p", "value": {"choices": ["yes"]}},
                {"type": "textarea", "from_name": "more", "to_name": "p", "value": {"text": ["x"]}},
                {"type": "ranker", "from_name": "rank", "to_name": "p", "value": {"ranker": {"1": ["answer1"]}}},
                {"type": "pairwise", "from_name": "pw", "to_name": "p", "value": {"selected": "left"}},
            ],
            "was_cancelled": False,
            "created_at": "2026-03-09T22:16:08.728353Z",
            "lead_time": 4.2,
        }
    ],
    "predictions": [{"model_version": "m", "result": [{"type": "textarea", "value": {"text": ["y"]}}]}],
}
RECORD: dict[str, Any] = {
    "fields": {"prompt": "Why?", "response-1": "So."},
    "metadata": {"choices": ["yes"], "extra": '{"a": 1}', "outputs": '[{"id": "response-1", "model": "m"}]'},
    "responses": {
        "quality": [{"value": 3, "user_id": "u", "status": "submitted"}],
        "label": [{"value": "yes", "user_id": "u"}],
        "rank": [{"value": [{"value": "response-1", "rank": 1}], "user_id": "u"}],
        "more": [{"value": "x", "user_id": "u"}],
    },
    "suggestions": {"more": {"value": "y", "agent": "m"}},
}
SAMPLES = {"own": OWN, "label_studio": TASK, "argilla": RECORD}
WRONG = (None, True, -1, 10**400, 1e308, "", "text", "\ud800", [], [[]], [None], {}, {"a": {}})


def places(value: Any, path: tuple[Any, ...] = ()):
    """Every place in a record, the record itself left out."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in parts:
        yield (*path, key)
        yield from places(one, (*path, key))


def changed(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = wrong
    return copy


@pytest.mark.parametrize("format", SAMPLES)
def test_a_wrong_type_at_any_place_is_told_or_taken_never_a_traceback(format: str, tmp_path) -> None:
    cases = [changed(SAMPLES[format], path, wrong) for path in places(SAMPLES[format]) for wrong in WRONG]
    with open_store(tmp_path / "a.db", create=True) as store:
        project = create_project(store, "p")
        (tmp_path / "all.jsonl").write_text("".join(json.dumps(one) + "\n" for one in [SAMPLES[format], *cases]))
        done = taken(store, project, tmp_path / "all.jsonl", format=format, faulty="leave out")
        assert len(done.faults) > len(cases) / 10
        assert all(fault.row.startswith("all.jsonl:") and fault.field for fault in done.faults)
        assert verify(store).broken is None
        held = content(store, project)
        assert held
        for part in FORMATS:
            from instructglm.annotation.exchange import export

            assert b"".join(export(store, project, part))


@pytest.mark.parametrize("format", SAMPLES)
def test_a_bad_record_in_the_middle_is_named(store, tmp_path, format: str) -> None:
    project = create_project(store, "p")
    good = json.dumps(SAMPLES[format])
    other = json.dumps(SAMPLES[format]).replace("Why?", "How?")
    (tmp_path / "all.jsonl").write_text(f'﻿{good}\n{{"half": \n{other}\n')
    with pytest.raises(DataError, match=r"all\.jsonl:2: line: found JSON that") as refused:
        taken(store, project, tmp_path / "all.jsonl")
    assert "Nothing was imported" in refused.value.hint
    assert content(store, project) == []
    done = taken(store, project, tmp_path / "all.jsonl", faulty="leave out")
    assert (done.num_instructions, done.num_answers, len(done.faults)) == (2, 2, 1)


def test_nothing_but_a_fault_is_told_too(store, tmp_path) -> None:
    project = create_project(store, "p")
    (tmp_path / "bad.jsonl").write_text('{"half": \n{"other": \n')
    with pytest.raises(DataError, match=r"bad\.jsonl:1: line"):
        taken(store, project, tmp_path / "bad.jsonl")


@pytest.mark.parametrize("depth", [900, 5_000, 200_000])
@pytest.mark.parametrize("format", SAMPLES)
def test_deep_nesting_is_a_fault(store, tmp_path, format: str, depth: int) -> None:
    project = create_project(store, "p")
    deep = "[" * depth + "]" * depth
    where = {"own": '"extra": {"a": 1}', "label_studio": '"extra": {"a": 1}', "argilla": '"value": 3'}[format]
    text = json.dumps(SAMPLES[format])
    assert where in text
    text = text.replace(where, f"{where[: where.rindex(':')]}: {deep}" + ("}" if where.endswith("}") else ""))
    (tmp_path / "deep.jsonl").write_text(f"{json.dumps(SAMPLES[format])}\n{text}\n")
    done = taken(store, project, tmp_path / "deep.jsonl", faulty="leave out")
    assert [fault.row for fault in done.faults] == ["deep.jsonl:2"] or done.leftovers
    assert verify(store).broken is None


def test_a_line_of_a_hundred_megabytes_is_refused(store, tmp_path) -> None:
    project = create_project(store, "p")
    with (tmp_path / "long.jsonl").open("w") as file:
        file.write(json.dumps(OWN) + '\n{"instruction": {"messages": "')
        for _ in range(100):
            file.write("x" * 2**20)
        file.write('"}}\n')
    with pytest.raises(DataError, match=r"long\.jsonl:2: line: found 100\.0 MiB; expected at most 16 MiB in one row"):
        taken(store, project, tmp_path / "long.jsonl")


def test_duplicate_ids_in_a_file_do_no_harm(store, tmp_path) -> None:
    project = create_project(store, "p")
    twin = changed(TASK, ("data", "prompt"), "How?")
    tasks = [{"id": 1, **TASK}, {"id": 1, **twin}, {"id": 1, **TASK}]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    done = taken(store, project, tmp_path / "tasks.json")
    assert (done.num_instructions, done.num_repeated, done.num_answers, done.num_known_answers) == (2, 1, 2, 1)


def test_a_file_that_could_be_two_things_asks_which(store, tmp_path) -> None:
    project = create_project(store, "p")
    (tmp_path / "both.jsonl").write_text(json.dumps({**TASK, **RECORD}) + "\n")
    with pytest.raises(DataError, match=r"both\.jsonl: could be argilla or label_studio") as refused:
        taken(store, project, tmp_path / "both.jsonl")
    assert refused.value.hint == "Say which with --format: argilla, label_studio."
    assert taken(store, project, tmp_path / "both.jsonl", format="argilla").num_answers == 1
    (tmp_path / "none.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(DataError, match=r"none\.jsonl: no known layout: the rows have a"):
        taken(store, project, tmp_path / "none.jsonl")
    with pytest.raises(ConfigError, match="unknown exchange format 'argila'"):
        taken(store, project, tmp_path / "both.jsonl", format="argila")


def test_a_newer_version_of_our_own_form_is_refused(store, tmp_path) -> None:
    project = create_project(store, "p")
    head = {"instructglm": "annotations", "version": 2}
    (tmp_path / "new.jsonl").write_text(f"{json.dumps(head)}\n{json.dumps(OWN)}\n")
    with pytest.raises(DataError, match=r"new\.jsonl:1: version: found 2; expected 1, the one this can read"):
        taken(store, project, tmp_path / "new.jsonl")


def test_an_answer_without_a_known_guideline_says_so(store, tmp_path) -> None:
    project = create_project(store, "p")
    (tmp_path / "a.jsonl").write_text(json.dumps(OWN) + "\n" + json.dumps(OWN).replace("Why?", "How?") + "\n")
    done = taken(store, project, tmp_path / "a.jsonl")
    assert done.notes == ("2 answers name a guideline that the project has not: stored without it",)
