"""The store from the command line: made, filled, looked at, verified."""

import json
import sqlite3

import pytest

QUESTIONS = [
    {"instruction": "Is this lawful?", "outputs": ["Yes.", "No."], "domain": "law", "choices": ["yes", "no"]},
    {"instruction": "", "outputs": ["x"]},
    {"instruction": "And this?", "output": "No."},
]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, values in (("good.jsonl", QUESTIONS[::2]), ("bad.jsonl", QUESTIONS)):
        (tmp_path / name).write_text("".join(json.dumps(value) + "\n" for value in values))
    return tmp_path


def test_a_project_is_made_filled_and_looked_at(cli, files) -> None:
    made = cli("annotate", "init", "law", "--annotators", "3")
    assert (made.code, made.out.splitlines()[0]) == (0, f"made the project law in {files}/annotations.db")
    done = cli("annotate", "import", "law", "good.jsonl")
    assert (done.code, done.out) == (0, "2 new instructions, 3 new outputs, 0 known before\n")
    again = json.loads(cli("annotate", "import", "law", "good.jsonl", "--json").out)
    assert (again["num_instructions"], again["num_known"]) == (0, 2)
    shown = cli("annotate", "status")
    assert (shown.code, shown.out.splitlines()[:2]) == (0, ["project law", "no round yet"])
    told = json.loads(cli("annotate", "status", "--json").out)
    checked = cli("annotate", "verify", "--head", told["head"])
    assert (checked.code, checked.out) == (0, "2 events with 5 rows: every link holds\n")


def test_rounds_people_and_gold_are_shown(cli, files) -> None:
    from instructglm.annotation.queue.answers import Answer
    from instructglm.annotation.queue.claim import next_task
    from instructglm.annotation.queue.gold import Gold, add_gold
    from instructglm.annotation.queue.rounds import open_round
    from instructglm.annotation.queue.save import save
    from instructglm.annotation.store import open_store
    from instructglm.annotation.store.people import add_person
    from instructglm.annotation.store.projects import Settings, change_settings

    cli("annotate", "init", "law")
    cli("annotate", "import", "law", "good.jsonl")
    with open_store("annotations.db") as store:
        change_settings(store, 1, Settings(gold_share=1.0))
        add_gold(store, 1, [Gold(instruction=1, label="yes")])
        open_round(store, 1)
        ann = add_person(store, "安", "annotator")
        task = next_task(store, 1, ann)
        save(store, ann, task.assignment, Answer(label="yes"), key="a", took_ms=12_000)
        next_task(store, 1, ann)
    lines = cli("annotate", "status").out.splitlines()
    assert lines[2].split() == ["1", "yes", "1", "2", "0", "1", "1"]
    assert lines[5].split() == ["1", "安", "1", "0", "1", "0", "12.0"]
    assert "1 of 1" in lines[8]
    assert "21% to 100%" in lines[8]


def test_a_bad_line_is_named_and_nothing_or_the_rest_is_imported(cli, files) -> None:
    cli("annotate", "init", "law")
    refused = cli("annotate", "import", "law", "bad.jsonl")
    assert (refused.code, refused.out) == (2, "")
    assert "bad.jsonl:2: record: found" in refused.err
    assert "Nothing was imported" in refused.err
    rest = cli("annotate", "import", "law", "bad.jsonl", "--leave-out-faulty")
    assert (rest.code, rest.out) == (1, "2 new instructions, 3 new outputs, 0 known before\n")
    assert rest.err.startswith("left out: bad.jsonl:2: record: found")


def test_a_table_with_lists_in_its_cells_is_imported_and_repeats_are_told(cli, files) -> None:
    (files / "table.csv").write_text(
        'instruction,outputs,choices,extra\nIs it?,"[""Yes.""]","[""yes"", ""no""]",\nIs it?,,"[""no""]",\n'
    )
    cli("annotate", "init", "law")
    done = cli("annotate", "import", "law", "table.csv")
    assert (done.code, done.out) == (0, "1 new instructions, 1 new outputs, 0 known before, 1 repeated\n")
    assert done.err.startswith("repeated, the first holds: table.csv:3: choices: found ('no',); expected ('yes', 'no')")


def test_mistakes_are_told_with_the_next_move(cli, files) -> None:
    missing = cli("annotate", "status")
    assert (missing.code, "annotate init" in missing.err) == (2, True)
    cli("annotate", "init", "law")
    assert cli("annotate", "init", "law").code == 2
    unknown = cli("annotate", "import", "lwa", "good.jsonl")
    assert (unknown.code, "Did you mean 'law'?" in unknown.err) == (2, True)
    assert "expected NUMBER:HASH" in cli("annotate", "verify", "--head", "x").err


def test_a_log_that_was_tampered_with_is_exit_code_1(cli, files) -> None:
    cli("annotate", "init", "law")
    cli("annotate", "import", "law", "good.jsonl")
    with sqlite3.connect("annotations.db") as raw:
        raw.execute("DROP TRIGGER outputs_no_update")
        raw.execute("UPDATE outputs SET text = 'Perhaps.' WHERE id = 1")
    found = cli("annotate", "verify")
    assert found.code == 1
    assert found.out == "event 2: what it stored was changed, or rows were put in or taken out\n"
    assert json.loads(cli("annotate", "verify", "--json").out)["broken"]["event"] == 2
