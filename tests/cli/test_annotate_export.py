"""Projects written out and read in again from the command line."""

import json

import pytest
from exchanged import full_project

from instructglm.annotation.queue.gold import Gold, add_gold
from instructglm.annotation.store import open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.reading import outputs
from instructglm.annotation.store.withdrawing import withdraw_instructions, withdraw_outputs


class Clock:
    now_ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A store with a full project, one more instruction that is withdrawn, one that is gold, one output withdrawn."""
    monkeypatch.chdir(tmp_path)
    clock = Clock()
    with open_store("annotations.db", create=True, clock=clock) as store:
        project = full_project(store, clock)
        records = [{"instruction": "Withdrawn"}, {"instruction": "Golden", "choices": ["yes"]}]
        import_records(store, project, [(str(place), one) for place, one in enumerate(records)])
        withdraw_instructions(store, project, [4], "spam")
        withdraw_outputs(store, project, [next(outputs(store, project)).id], "wrong")
        add_gold(store, project, [Gold(instruction=5, label="yes")])
    return tmp_path


def test_a_project_goes_out_under_pseudonyms_and_what_stays_is_counted(cli, folder) -> None:
    done = cli("annotate", "export", "law", "--format", "own")
    assert (done.code, done.out) == (0, "wrote law-own.jsonl: 3 instructions, 20 outputs, 12 answers\n")
    assert done.err.splitlines() == [
        "left out: 1 gold items",
        "left out: 8 judgements of withdrawn outputs",
        "left out: 4 references of edits to what was withdrawn",
        "left out: 1 withdrawn instructions",
        "left out: 1 withdrawn outputs",
    ]
    text = (folder / "law-own.jsonl").read_text()
    assert ("Golden" in text, "Withdrawn" in text, "Ann" in text) == (False, False, False)
    told = cli("annotate", "export", "law", "--format", "own", "--out", "all.jsonl", "--gold", "--names", "--json")
    assert json.loads(told.out)["left_out"]["withdrawn outputs"] == 1
    text = (folder / "all.jsonl").read_text()
    assert ("Golden" in text, "Withdrawn" in text, '"person": "Ann"' in text) == (True, False, True)


def test_a_file_that_is_there_is_kept(cli, folder) -> None:
    (folder / "law.csv").write_text("mine")
    kept = cli("annotate", "export", "law", "--format", "csv", "--out", "law.csv")
    assert (kept.code, "law.csv: is there already" in kept.err) == (2, True)
    assert (folder / "law.csv").read_text() == "mine"
    assert cli("annotate", "export", "law", "--format", "csv", "--out", "law.csv", "--overwrite").code == 0
    assert (folder / "law.csv").read_bytes().startswith("﻿instruction,messages".encode())
    assert cli("annotate", "export", "law", "--format", "csv", "--out", ".").code == 2
    wrong = cli("annotate", "export", "law", "--format", "cvs")
    assert (wrong.code, "Did you mean 'csv'?" in wrong.err) == (2, True)
    assert [*folder.glob(".*.tmp")] == []


def test_an_export_that_breaks_off_leaves_what_was_there(folder) -> None:
    from instructglm.core.files import write_parts

    def parts():
        yield b"half"
        raise RuntimeError

    (folder / "law.jsonl").write_text("before")
    with pytest.raises(RuntimeError):
        write_parts(folder / "law.jsonl", parts())
    assert (folder / "law.jsonl").read_text() == "before"
    assert [*folder.glob(".*.tmp")] == []


def test_it_comes_in_elsewhere_with_its_people(cli, folder) -> None:
    cli("annotate", "export", "law", "--format", "label_studio", "--out", "tasks.json", "--names")
    cli("annotate", "init", "new", "--store", "new.db")
    done = cli("annotate", "import", "new", "tasks.json", "--store", "new.db")
    assert (done.code, done.out.splitlines()[1]) == (
        0,
        "12 new answers of people in the closed rounds 1, 2, 0 known before",
    )
    assert "made the annotator: Ann, named 'Ann' in the file" in done.err
    assert done.err.splitlines()[-1] == "looks like: tasks.json: label_studio"
    again = cli("annotate", "import", "new", "tasks.json", "--store", "new.db", "--format", "label_studio")
    assert (again.code, again.out.splitlines()[1]) == (0, "0 new answers of people, 12 known before")
    assert "looks like" not in again.err
    checked = cli("annotate", "verify", "--store", "new.db")
    assert (checked.code, "every link holds" in checked.out) == (0, True)


def test_a_file_in_no_known_layout_is_refused(cli, folder) -> None:
    (folder / "other.json").write_text('[{"a": 1}]')
    refused = cli("annotate", "import", "law", "other.json")
    assert (refused.code, "other.json: no known layout: the rows have a" in refused.err) == (2, True)
    assert "label_studio has data (an object), and annotations and predictions" in refused.err
