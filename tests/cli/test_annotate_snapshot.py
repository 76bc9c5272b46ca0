"""`annotate snapshot` from the command line."""

from __future__ import annotations

import json

import pytest

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.queue.save import save
from instructglm.annotation.store import open_store
from instructglm.annotation.store.people import add_person


@pytest.fixture
def store(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{"instruction": f"Is it {one}?", "choices": ["yes", "no"]} for one in range(3)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cli("annotate", "init", "law", "--annotators", "2")
    cli("annotate", "import", "law", "rows.jsonl")
    with open_store("annotations.db") as opened:
        open_round(opened, 1)
        people = [add_person(opened, name, "annotator") for name in ("Ann", "Bo")]
        for number, person in enumerate(people):
            for place in range(2 + number):
                task = next_task(opened, 1, person)
                say = Answer(label="yes" if place else ("no", "yes")[number])
                save(opened, person, task.assignment, say, key=f"{person} {place}")
    return tmp_path


def test_it_tells_what_is_in_what_is_out_and_what_comes_next(cli, store) -> None:
    done = cli("annotate", "snapshot", "law")
    assert (done.code, done.err) == (0, "freeze: 3 instructions in 0:00\n")
    (folder,) = store.glob("snapshots/law-*")
    assert done.out.startswith(
        "2 of 3 instructions with 2 accepted outputs and labels, 0 preference pairs, after event"
    )
    lines = [line.split() for line in done.out.splitlines()]
    assert ["instructions", "label_tie", "1"] in lines
    assert any(line[:4] == ["labels", "of", "law", "2"] for line in lines)
    path = folder.relative_to(store) / "examples.jsonl"
    assert f"  - {{format: snapshot, path: {path}}}" in done.out
    again = cli("annotate", "snapshot", "law")
    assert "(it stood there already)" in again.out


def test_json_holds_the_manifest(cli, store) -> None:
    told = json.loads(cli("annotate", "snapshot", "law", "--min-annotators", "2", "--out", "here", "--json").out)
    assert (told["is_new"], told["summary"]["num_examples"]) == (True, 1)
    assert told["summary"]["left_out"]["instructions"] == {"label_tie": 1, "too_few_annotators": 1}
    assert told["snapshot"].startswith("here/law-")


def test_mistakes_are_told_with_the_next_move(cli, store) -> None:
    empty = cli("annotate", "snapshot", "law", "--min-annotators", "3")
    assert (empty.code, empty.out) == (2, "")
    assert "nothing of law is accepted (3 too_few_annotators)" in empty.err
    assert not (store / "snapshots").exists() or not any((store / "snapshots").iterdir())
    model = cli("annotate", "snapshot", "law", "--label-model", "majority")
    assert (model.code, "Did you mean 'majority_vote'" in model.err) == (2, True)
    assert "there is no event 99" in cli("annotate", "snapshot", "law", "--as-of", "99").err
    assert "Did you mean 'law'?" in cli("annotate", "snapshot", "lwa").err
    assert cli("annotate", "snapshot", "law", "--min-rating", "2").code == 2


def test_an_earlier_state_is_frozen(cli, store) -> None:
    head = json.loads(cli("annotate", "status", "--json").out)["head"]
    event = int(head.partition(":")[0]) - 1
    told = json.loads(cli("annotate", "snapshot", "law", "--as-of", str(event), "--json").out)
    assert told["summary"]["event"].startswith(f"{event}:")
