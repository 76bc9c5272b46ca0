"""Files as Label Studio and Argilla write them for projects of their own: what is taken, and what is named."""

import json

import pytest
from exchanged import content, taken

from instructglm.annotation.agreement import Judgements, agreement_of_project
from instructglm.annotation.exchange import imported_rounds
from instructglm.annotation.queue.progress import people_progress, round_progress
from instructglm.annotation.store.people import add_person, list_people, sign_in
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.reading import as_columns, judgements
from instructglm.annotation.store.tables import Kind, Role
from instructglm.annotation.store.verify import verify
from instructglm.core.errors import DataError

ANN = {"id": 4, "email": "ann@example.org", "first_name": "Ann", "last_name": "Lee"}


def annotation(by, *results, **more):
    held = {"id": 9, "completed_by": by, "created_at": "2026-03-09T22:16:08.728353Z", "lead_time": 4.288}
    return {**held, "was_cancelled": False, "ground_truth": False, "result": list(results), **more}


def result(kind, name, to, **value):
    return {"id": "Dx_aB91ISN", "from_name": name, "to_name": to, "type": kind, "origin": "manual", "value": value}


COMPARED = {
    "id": 1,
    "project": 83,
    "data": {"prompt": "Which is larger?", "answer1": "The sun.", "answer2": "The moon.", "dataset": "sky"},
    "annotations": [
        annotation(
            ANN,
            result("pairwise", "pw", "answer1,answer2", selected="right"),
            result("rating", "rating1", "answer1", rating=2),
            result("rating", "rating2", "answer2", rating=5),
            result("textarea", "why", "prompt", text=["It is nearer."]),
        ),
        annotation(12, result("choices", "safe", "prompt", choices=["yes"])),
    ],
    "predictions": [{"model_version": "m1", "result": [result("textarea", "draft", "prompt", text=["Both."])]}],
}
RANKED = {
    "data": {
        "text": "Find a page.",
        "items": [{"id": "mdn", "title": "Arrows", "body": "Functions."}, {"id": "wiki", "body": "Bolts."}],
    },
    "annotations": [
        annotation(ANN, result("ranker", "rank", "results", ranker={"rank": ["wiki", "mdn"]})),
        annotation(12, result("ranker", "rank", "results", ranker=["mdn", "wiki"])),
    ],
}


def stored(store, project, tmp_path, *records, name="tasks.json", **options):
    (tmp_path / name).write_text(json.dumps(records), encoding="utf-8")
    return taken(store, project, tmp_path / name, **options)


@pytest.fixture
def project(store) -> int:
    return create_project(store, "sky")


def test_label_studios_tasks_are_understood(store, project: int, tmp_path) -> None:
    done = stored(store, project, tmp_path, COMPARED, RANKED)
    assert (done.num_instructions, done.num_outputs, done.num_answers, done.leftovers) == (2, 5, 4, ())
    assert done.people == {"Ann Lee": "Ann Lee", "label-studio-12": "label-studio-12"}
    compared, ranked = content(store, project)
    assert compared.held.extra == {"dataset": "sky"}
    assert [(one.text, one.origin, one.model) for one in compared.outputs] == [
        ("The sun.", "imported", ""),
        ("The moon.", "imported", ""),
        ("Both.", "model", "m1"),
    ]
    ann, other = compared.answers
    assert (ann.person, ann.at_ms, ann.took_ms) == ("Ann Lee", 1773094568728, 4288)
    assert [(one.output, one.criterion, one.value) for one in ann.said.ratings] == [(0, "rating", 2), (1, "rating", 5)]
    assert {one.output: one.rank for one in ann.said.ranks} == {1: 1, 0: 2}
    assert (ann.said.comment, other.said.label) == ("It is nearer.", "yes")
    assert [{one.output: one.rank for one in answer.said.ranks} for answer in ranked.answers] == [
        {1: 1, 0: 2},
        {0: 1, 1: 2},
    ]
    assert verify(store).broken is None


def test_people_of_a_file_cannot_sign_in_and_their_agreement_can_be_told(store, project: int, tmp_path) -> None:
    tasks = [
        {
            "data": {"text": f"Text {number}"},
            "annotations": [
                annotation(person, result("choices", "mood", "text", choices=[mood]))
                for person, mood in ((1, "good"), (2, "good" if number < 8 else "bad"))
            ],
        }
        for number in range(10)
    ]
    stored(store, project, tmp_path, *tasks)
    assert [sign_in(store, person.name, "a long password") for person in list_people(store)] == [None, None]
    columns = as_columns(judgements(store, project, kinds=(Kind.LABEL,)))
    import numpy as np

    found = agreement_of_project(
        Judgements.of(columns.items, columns.annotators, columns.values), np.random.default_rng(0), num_draws=10
    )
    assert found.whole.num_items == 10
    (round,) = round_progress(store, project)
    assert imported_rounds(store, project) == (1,)
    assert (round.is_open, round.num_items, round.num_done, round.num_waiting) == (False, 10, 20, 0)
    assert [(one.num_done, one.median_s) for one in people_progress(store, project)] == [(10, 4.288), (10, 4.288)]


def test_who_was_here_before_is_given_nothing_from_a_file(store, project: int, tmp_path) -> None:
    own = add_person(store, "Ann Lee", Role.ADMIN, "a long password")
    done = stored(store, project, tmp_path, COMPARED)
    assert done.people["Ann Lee"] == "Ann Lee (imported)"
    assert own not in {one.annotator for one in judgements(store, project)}
    again = stored(store, project, tmp_path, COMPARED, RANKED)
    assert (again.people, again.num_answers, again.num_known_answers) == ({}, 2, 2)


NOT_HELD = {
    "data": {"text": "A page with a picture.", "image": "s3://a/b.png"},
    "annotations": [
        annotation(
            1,
            result("rectanglelabels", "box", "image", x=1, y=2, width=3, height=4, rectanglelabels=["Cat"]),
            result("labels", "spans", "text", start=0, end=4, labels=["Noun"]),
            result("choices", "topic", "text", choices=["pets"]),
            result("choices", "tone", "text", choices=["dry"]),
            result("choices", "kinds", "text", choices=["a", "b"]),
            result("rating", "stars", "text", rating=3),
            {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"},
            ground_truth=True,
        ),
        annotation(2),
        annotation(3, was_cancelled=True),
    ],
    "predictions": [{"model_version": "m", "result": [result("choices", "topic", "text", choices=["cats"])]}],
    "drafts": [{"result": []}],
    "completions": [{"id": 1}],
    "meta": {},
}


def test_what_the_store_has_no_place_for_is_named_with_its_place(store, project: int, tmp_path) -> None:
    done = stored(store, project, tmp_path, NOT_HELD)
    told = [str(one) for one in done.leftovers]
    assert all(line.startswith("tasks.json[0]: ") for line in told)
    for line in (
        "annotations.0.result.0: rectanglelabels, asked as 'box'",
        "annotations.0.result.1: labels, asked as 'spans'",
        "annotations.0.topic: 'pets', the answer to one of several questions of choice",
        "annotations.0.result.4: not one choice of 'kinds': ['a', 'b']",
        "annotations.0.result.5: a rating of which it is not told which of 0 outputs it is of",
        "annotations.0.result.6: relation, asked as ''",
        "annotations.0.ground_truth: true; the answer was taken, but not as a known one",
        "annotations.1: an answer that says nothing",
        "predictions.0.result.0: a model's choices",
        "drafts.0: a draft, which nobody has submitted",
        "completions: [{'id': 1}]",
    ):
        assert f"tasks.json[0]: {line}" in told
    (entry,) = content(store, project)
    assert [answer.said.skip for answer in entry.answers] == [""]


SECOND = {
    "id": "r-1",
    "fields": {"prompt": "Name a planet.", "response-1": "Mars", "response-2": "The moon"},
    "metadata": {"page": 7},
    "suggestions": {
        "better": {"value": "Venus", "score": None, "agent": "gpt"},
        "fluent": {"value": 4, "score": 0.5, "agent": "gpt"},
    },
    "responses": {
        "quality-1": [{"value": 5, "user_id": "u1"}, {"value": 4, "user_id": "u2"}],
        "preference": [
            {"value": ["response-1", "response-2"], "user_id": "u1"},
            {"value": [{"value": "response-1", "rank": 1}, {"value": "response-2", "rank": 1}], "user_id": "u2"},
        ],
        "better": [{"value": "Mars, the red one.", "user_id": "u1"}],
        "spans": [{"value": [{"start": 0, "end": 2, "label": "x"}], "user_id": "u1"}],
    },
    "vectors": {"v": [0.1]},
    "_server_id": "5b5e",
}
FIRST = {
    "fields": {"text": "A good day."},
    "responses": [
        {"user_id": "u1", "status": "submitted", "values": {"mood": {"value": "glad"}}},
        {"user_id": "u2", "status": "discarded", "values": {}},
        {"user_id": "u3", "status": "draft", "values": {"mood": {"value": "sad"}}},
    ],
    "suggestions": [{"question_name": "mood", "value": "glad", "agent": "m"}],
    "external_id": "x",
}


def test_argillas_records_of_both_versions_are_understood(store, project: int, tmp_path) -> None:
    again = {**FIRST, "fields": {"text": "A bad day."}}
    done = stored(store, project, tmp_path, SECOND, FIRST, again)
    assert done.formats == {"tasks.json": "argilla"}
    second, first, _ = content(store, project)
    assert [(one.text, one.origin, one.model) for one in second.outputs] == [
        ("Mars", "imported", ""),
        ("The moon", "imported", ""),
        ("Venus", "model", "gpt"),
        ("Mars, the red one.", "person", ""),
    ]
    one, two = second.answers
    assert [(rating.output, rating.criterion, rating.value) for rating in one.said.ratings] == [(0, "quality", 5)]
    assert ([rank.rank for rank in one.said.ranks], [rank.rank for rank in two.said.ranks]) == ([1, 2], [1, 1])
    assert one.said.written == (3,)
    assert [(answer.person, answer.said.label, answer.said.skip) for answer in first.answers] == [
        ("u1", "glad", None),
        ("u2", None, ""),
    ]
    told = [str(one) for one in done.leftovers]
    assert "tasks.json[0]: responses of u1.spans: 1 spans of a text" in told
    assert "tasks.json[0]: suggestions.fluent: a suggestion: 4" in told
    assert "tasks.json[0]: vectors.v: a vector" in told
    assert "tasks.json[1]: responses of u3: a draft, which nobody has submitted" in told


def test_a_task_without_a_prompt_is_a_fault_that_may_be_left_out(store, project: int, tmp_path) -> None:
    heard = {"data": {"audio": "https://example.org/1.wav"}, "annotations": []}
    with pytest.raises(
        DataError, match=r"tasks\.json\[1\]: data: found \['audio'\]; expected a text under instruction"
    ):
        stored(store, project, tmp_path, COMPARED, heard)
    assert content(store, project) == []
    done = stored(store, project, tmp_path, COMPARED, heard, faulty="leave out")
    assert (done.num_instructions, [fault.row for fault in done.faults]) == (1, ["tasks.json[1]"])
