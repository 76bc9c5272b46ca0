"""From people who disagree to a trained model and a report, with nothing in between but files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from instructglm import pipeline
from instructglm.annotation.queue.adjudicate import Verdict, decide, open_case
from instructglm.annotation.queue.answers import Answer, Edit, OutputRating
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.queue.save import Saved, save
from instructglm.annotation.queue.tasks import Task
from instructglm.annotation.snapshot.freeze import Snapshot, freeze
from instructglm.annotation.store import Store, open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.tables import Role
from instructglm.config.loading import load_experiment
from instructglm.core.progress import SilentProgress
from instructglm.core.records import Example, Split
from instructglm.core.workspace import Workspace
from instructglm.data.dataset import read_examples
from instructglm.training.metrics_log import read_metrics

NUM = 60
EXPERIMENT = """\
name: guests
model: {{name_or_path: {model}, dtype: float32, device: cpu}}
data:
  sources: [{{format: snapshot, path: {path}}}]
  split: {{validation: 0.15, test: 0.2}}
  max_length: 128
tuning: {{method: full}}
training: {{max_steps: 3, num_train_epochs: 1, batch_size: 4, learning_rate: 1e-3}}
evaluation: {{max_new_tokens: 4, max_new_tokens_closed: 4, num_resamples: 200}}
"""


def records() -> list[tuple[str, object]]:
    """Two thirds open tasks with drafts by a model, one third closed questions."""
    closed = {"choices": ["polite", "rude"], "task": "tone", "domain": "tone"}
    drafts = [{"text": f"{word}, guest.", "model": "m"} for word in ("Hello", "Hey you", "Good day")]
    return [
        (str(one), {"instruction": f"Is greeting {one} polite?", **closed})
        if one % 3 == 0
        else (
            str(one),
            {"instruction": f"Greet guest {one}.", "outputs": drafts, "task": "greet", "licence": "CC0-1.0"},
        )
        for one in range(NUM)
    ]


def say(task: Task, place: int) -> Answer:
    """Three people who do not see everything alike: the third is hard to please, and is wrong on some questions."""
    if task.choices:
        label = ("polite", "rude")[task.instruction % 2]
        wrong = place == 2 and task.instruction % 5 == 0
        return Answer(label=("rude", "polite")[label == "rude"] if wrong else label)
    values = {"Hello, guest.": 4, "Hey you, guest.": 1, "Good day, guest.": 5 - 2 * (place == 2)}
    ratings = tuple(OutputRating(output=o.id, criterion="quality", value=values[o.text]) for o in task.outputs)
    worst = next(one for one in task.outputs if one.text.startswith("Hey"))
    better = (Edit(output=worst.id, text=f"Welcome, guest {task.instruction}."),) if place == 0 else ()
    return Answer(ratings=ratings, edits=better)


def annotate(store: Store, project: int) -> None:
    for place, name in enumerate(("Ann", "Bo", "安")):
        person = add_person(store, name, Role.ANNOTATOR)
        while isinstance(task := next_task(store, project, person), Task):
            saved = save(store, person, task.assignment, say(task, place), key=f"{task.assignment}")
            assert isinstance(saved, Saved)
    reviewer = add_person(store, "Rita", Role.REVIEWER)
    decide(store, reviewer, open_case(store, reviewer, 1), Verdict(label="polite", reason="It is."), key="first")
    case = open_case(store, reviewer, 2)
    hello = next(one.id for one in case.outputs if one.text.startswith("Hello"))
    decide(store, reviewer, case, Verdict(accepted=(hello,), reason="Plain and kind."), key="second")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder = tmp_path_factory.mktemp("annotated")
    with open_store(str(folder / "annotations.db"), create=True) as store:
        project = create_project(store, "guests", Settings(annotators_per_item=3, gold_share=0))
        import_records(store, project, records())
        open_round(store, project)
        annotate(store, project)
        return freeze(store, project, out=folder / "snapshots")


def run(frozen: Snapshot, model: Path, folder: Path, *overrides: str) -> Workspace:
    path = folder / "experiment.yaml"
    path.write_text(EXPERIMENT.format(model=model, path=frozen.examples))
    pipeline.train(load_experiment(path, overrides), folder, folder / "out", SilentProgress(), "")
    return Workspace(folder / "out")


def examples(workspace: Workspace) -> dict[str, Example]:
    dataset = workspace.out / str(workspace.read_latest().dataset)
    return {one.row: one for split in Split for one in read_examples(dataset, split)}


def test_people_and_the_reviewer_decide_what_is_trained(frozen, tiny_model, tmp_path) -> None:
    assert frozen.manifest.summary.decided_by == {"people": NUM - 2, "reviewer": 2}
    built = examples(run(frozen, tiny_model, tmp_path))
    assert len(built) == NUM
    assert {one.choices for one in built.values() if one.task == "tone"} == {("polite", "rude")}
    assert built["guests:1"].references == ("polite",)
    assert built["guests:2"].references == ("Hello, guest.",)
    usual = built["guests:3"]
    assert usual.references == ("Hello, guest.", "Good day, guest.", "Welcome, guest 3.")
    assert (usual.outputs[1].ratings, usual.metadata["licence"]) == ((5.0, 5.0, 3.0), "CC0-1.0")
    hello, good_day, welcome = (one.weight for one in usual.outputs)
    assert welcome == pytest.approx((hello + good_day) / 2, abs=1e-5)
    assert hello == pytest.approx(4.0, abs=0.3)
    for person in ("Ann", "Bo", "安", "Rita"):
        assert person not in frozen.examples.read_text(encoding="utf-8")


def test_the_rule_of_output_weights_decides_how_they_count(frozen, tiny_model, tmp_path) -> None:
    first = {}
    for rule in ("given", "equal", "rating"):
        (tmp_path / rule).mkdir()
        workspace = run(frozen, tiny_model, tmp_path / rule, f"training.output_weights={rule}")
        lines = read_metrics(workspace.out / str(workspace.read_latest().run) / "metrics.jsonl")
        first[rule] = next(line["train_loss_nats_per_token"] for line in lines if "grad_norm" in line)
    assert len(set(first.values())) == 3, first


def test_the_report_names_the_snapshot(frozen, tiny_model, tmp_path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(EXPERIMENT.format(model=tiny_model, path=frozen.examples))
    page = pipeline.run(load_experiment(path, ()), tmp_path, tmp_path / "out", SilentProgress(), "")
    number, _, digest = frozen.manifest.summary.event.partition(":")
    origin = f"annotations of guests, frozen after event {number}:{digest[:12]}"
    (source,) = json.loads((page.parent / "report.json").read_text(encoding="utf-8"))["data"]["sources"]
    assert (source["origin"], source["num_rows"]) == (origin, NUM)
    assert source["sha256"] == frozen.manifest.files["examples.jsonl"]
    shown = page.read_text(encoding="utf-8")
    assert origin in shown
    assert frozen.folder.name in shown
