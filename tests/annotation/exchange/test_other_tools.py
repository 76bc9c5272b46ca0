"""Label Studio and Argilla, out and in again: all that they can hold comes back, the rest is counted."""

import json

import pytest
from exchanged import content, full_project, sent, taken

from instructglm.annotation.exchange.argilla_out import user_id
from instructglm.annotation.exchange.entries import Entry, Said
from instructglm.annotation.store import open_store
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.verify import verify


@pytest.fixture
def other(tmp_path, clock):
    with open_store(tmp_path / "other.db", create=True, clock=clock) as store:
        yield store, create_project(store, "new")


def in_order(said: Said) -> Said:
    """With what is said of outputs in the order of the outputs."""
    held = {name: getattr(said, name) for name in ("ratings", "ranks", "rejected")}
    return said.model_copy(
        update={name: tuple(sorted(ones, key=lambda one: str(one.output))) for name, ones in held.items()}
    )


def without_guidelines(entries: list[Entry]) -> list[Entry]:
    """As Label Studio holds it: the first round of a person is 1, whatever its number."""
    return [
        one._replace(
            answers=tuple(answer._replace(said=in_order(answer.said), guideline=None) for answer in one.answers)
        )
        for one in entries
    ]


def test_label_studio_keeps_all_but_guidelines(store, clock, other, tmp_path) -> None:
    project = full_project(store, clock)
    account = sent(store, project, tmp_path / "tasks.json", "label_studio", names=True)
    assert set(+account.left_out) == {"numbers of rounds", "versions of guidelines"}
    done = taken(*other, tmp_path / "tasks.json")
    assert (done.formats, done.num_answers, done.leftovers) == ({"tasks.json": "label_studio"}, 12, ())
    assert done.rounds == (1, 2)
    assert without_guidelines(content(*other)) == without_guidelines(content(store, project))
    assert verify(other[0]).broken is None
    again = taken(*other, tmp_path / "tasks.json")
    assert (again.num_outputs, again.num_answers, again.num_known_answers, again.rounds) == (0, 0, 12, ())


def test_its_ids_are_unique_and_people_hidden(store, clock, tmp_path) -> None:
    project = full_project(store, clock)
    sent(store, project, tmp_path / "tasks.json", "label_studio")
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    annotations = [one for task in tasks for one in task["annotations"]]
    results = [result["id"] for one in annotations for result in one["result"]]
    for ids in ([task["id"] for task in tasks], [one["id"] for one in annotations], results):
        assert len(set(ids)) == len(ids)
    assert len({one["unique_id"] for one in annotations}) == len(annotations)
    assert {one["completed_by"]["email"] for one in annotations} == {
        "annotator-1@annotators.invalid",
        "annotator-2@annotators.invalid",
    }
    assert {result["type"] for one in annotations for result in one["result"]} == {
        "rating", "ranker", "choices", "textarea",
    }  # fmt: skip
    assert tasks[2]["data"]["instruction"] == "Write a poem."


def first_twin(entry: Entry, place: int) -> int:
    wanted = entry.outputs[place]._replace(round=None)
    return next(number for number, one in enumerate(entry.outputs) if one._replace(round=None) == wanted)


def as_argilla_holds_it(entries: list[Entry]) -> list[Entry]:
    """A person's last answer, untimed, without ties and skips; people by their UUIDs."""
    held = []
    for one in entries:
        last = {answer.person: answer for answer in sorted(one.answers, key=lambda answer: answer.round)}
        answers = []
        for person, answer in last.items():
            ranks = () if len({rank.rank for rank in answer.said.ranks}) < len(answer.said.ranks) else answer.said.ranks
            update = {"skip": None, "ranks": in_order(Said(ranks=ranks)).ranks}
            # of what somebody wrote twice, word for word, only the words remain
            for name in ("written", "edits"):
                update[name] = tuple(first_twin(one, place) for place in getattr(answer.said, name))
            said = in_order(answer.said).model_copy(update=update)
            if said != Said():
                answers.append((user_id(person), said))
        outputs = [
            output._replace(person=output.person and user_id(output.person), round=None) for output in one.outputs
        ]
        held.append(one._replace(outputs=tuple(outputs), answers=tuple(answers)))
    return held


def test_argilla_keeps_the_last_word_of_everybody(store, clock, other, tmp_path) -> None:
    project = full_project(store, clock)
    account = sent(store, project, tmp_path / "records.json", "argilla")
    assert +account.left_out == {
        "earlier answers of the same person": 6,
        "times and rounds of answers": 6,
        "versions of guidelines": 6,
        "skipped items": 1,
        "rankings with ties": 2,
    }
    done = taken(*other, tmp_path / "records.json")
    assert (done.formats, done.num_answers, done.leftovers) == ({"records.json": "argilla"}, 5, ())
    back = [
        one._replace(
            outputs=tuple(output._replace(round=None) for output in one.outputs),
            answers=tuple((answer.person, in_order(answer.said)) for answer in one.answers),
        )
        for one in content(*other)
    ]
    expected = as_argilla_holds_it([*pseudonymous(store, project)])
    assert [(one.held, one.outputs) for one in back] == [(one.held, one.outputs) for one in expected]
    assert [set(one.answers) for one in back] == [set(one.answers) for one in expected]
    again = taken(*other, tmp_path / "records.json")
    assert (again.num_outputs, again.num_answers, again.num_known_answers) == (0, 0, 5)


def pseudonymous(store, project):
    from instructglm.annotation.exchange.stored import entries

    with store.read() as connection:
        yield from entries(connection, project, "annotator-{}".format, gold=True)
