"""Agreement from the command line: the same figures as in Python, and an exit code for a pipeline."""

from __future__ import annotations

import json

import numpy as np
import pytest

from instructglm.annotation.agreement import Judgements, agreement_of_project
from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.queue.save import save
from instructglm.annotation.store import open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project

LABELS = {1: ("yes", "no"), 2: ("no", "no"), 3: ("yes", "yes"), 4: ("no", "yes"), 5: ("yes", "yes")}


@pytest.fixture
def labelled(tmp_path, monkeypatch):
    """A project with known labels of two people, in the store of the working folder."""
    monkeypatch.chdir(tmp_path)
    with open_store("annotations.db", create=True) as store:
        create_project(store, "empty")
        project = create_project(store, "law", Settings(annotators_per_item=2, gold_share=0))
        records = [(str(n), {"instruction": f"Question {n}", "choices": ["yes", "no"]}) for n in LABELS]
        import_records(store, project, records)
        people = [add_person(store, name, "annotator") for name in ("Ann", "安")]
        open_round(store, project)
        for place, person in enumerate(people):
            for number in LABELS:
                task = next_task(store, project, person)
                answer = Answer(label=LABELS[task.instruction][place])
                save(store, person, task.assignment, answer, key=f"{person} {number}")
    return people


def test_tables_and_findings_are_shown(cli, labelled):
    shown = cli("annotate", "agreement", "law")
    assert shown.code == 0
    cells = [(item, place, label) for item, given in LABELS.items() for place, label in enumerate(given)]
    expected = agreement_of_project(Judgements.of(*zip(*cells, strict=True)), np.random.default_rng(0)).whole
    (alpha,) = [line for line in shown.out.splitlines() if line.startswith("Krippendorff")]
    assert f"{expected.alpha.value:.3f}  {expected.alpha.low:.3f} to {expected.alpha.high:.3f}" in alpha
    assert alpha.split()[-2:] == ["5", "10"]
    assert shown.out.startswith("What to do next\n- alpha")
    assert "kappa with the others" in shown.out
    assert "安" in shown.out
    assert shown.out.splitlines()[-1].split() == ["no", "yes", "2", "of", "2"]
    assert "nan" not in shown.out


def test_the_same_as_json(cli, labelled):
    told = json.loads(cli("annotate", "agreement", "law", "--json").out)
    (question,) = told["questions"]
    assert (question["kind"], question["figures"]["whole"]["alpha"]["num_items"]) == ("label", 5)
    assert told["people"] == {str(labelled[0]): "Ann", str(labelled[1]): "安"}
    assert told["findings"][0]["kind"] == "low_alpha"


def test_an_alpha_that_is_too_low_or_absent_fails(cli, labelled):
    assert cli("annotate", "agreement", "law", "--fail-under", "0").code == 0
    failed = cli("annotate", "agreement", "law", "--fail-under", "0.9")
    assert (failed.code, "labels: alpha 0." in failed.out, "expected at least 0.9" in failed.out) == (1, True, True)
    absent = cli("annotate", "agreement", "empty", "--fail-under", "0.5")
    assert (absent.code, "nobody has answered yet" in absent.out) == (1, True)
    wrong = cli("annotate", "agreement", "lwa")
    assert (wrong.code, "law" in wrong.err) == (2, True)
