"""Drafts by real models: distinct, fixed by seed and instruction alone, and gone on with after an interruption."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from tiny_runs import Told

from instructglm.annotation.collecting.drafts import Recipe, drafted
from instructglm.annotation.collecting.expanding import expand
from instructglm.annotation.collecting.expansions import Wish, accounts
from instructglm.annotation.store import Store, open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.reading import outputs
from instructglm.annotation.store.verify import verify
from instructglm.config.experiment import Experiment
from instructglm.config.loading import to_yaml
from instructglm.config.tuning import LoraTuning
from instructglm.core.errors import ModelError, RunError, StorageError
from instructglm.core.files import write_text
from instructglm.core.progress import Bar
from instructglm.core.records import Message
from instructglm.core.workspace import Workspace
from instructglm.data.templates import template_for
from instructglm.evaluation.predict import Predictor
from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.chatglm.modeling import ChatGLMForCausalLM
from instructglm.models.loading import load
from instructglm.pipeline.asking import asker
from instructglm.pipeline.drafting import draft
from instructglm.pipeline.speakers import Sampling, Speaker, open_speaker
from instructglm.tuning import METHODS

RECORDS = [
    {"instruction": "Is it lawful?"},
    {"instruction": "这份合同有效吗？"},
    {"instruction": "Has one.", "output": "Yes."},
    {"instruction": "很长 " * 400},
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "\u202eWhy?\0"}]},
]
EMPTY = [1, 2, 4, 5]


@pytest.fixture(scope="module")
def speaker(tiny_model: Path) -> Speaker:
    return open_speaker(str(tiny_model))


@pytest.fixture
def recipe(speaker: Speaker) -> Recipe:
    return Recipe(model=speaker.name, k=3, max_new_tokens=6, seed=11)


def made(folder: Path, name: str, records=RECORDS) -> Store:
    store = open_store(folder / f"{name}.db", create=True)
    import_records(store, create_project(store, "law"), [(str(place), one) for place, one in enumerate(records)])
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with made(tmp_path, "annotations") as opened:
        yield opened


def drafts_of(store: Store) -> dict[str, set[str]]:
    """What each instruction was given, by what it says."""
    from instructglm.annotation.store.reading import instructions

    names = {one.id: one.messages[-1]["content"] for one in instructions(store, 1)}
    found: dict[str, set[str]] = {}
    for one in outputs(store, 1):
        if one.origin == "model":
            found.setdefault(names[one.instruction], set()).add(one.text)
    return found


def test_empty_items_get_k_distinct_outputs_and_the_rest_is_told(
    store: Store, speaker: Speaker, recipe: Recipe
) -> None:
    told = Told()
    done = draft(store, 1, speaker, recipe, told)
    assert (done.num_instructions, done.num_outputs, done.num_short) == (4, 9, 1)
    assert done.left_out == {"the prompt leaves no room for an answer": 1}
    found = drafts_of(store)
    assert set(found) == {RECORDS[0]["instruction"], RECORDS[1]["instruction"], "\u202eWhy?\0"}
    assert {len(texts) for texts in found.values()} == {3}
    assert {one.model for one in outputs(store, 1) if one.origin == "model"} == {speaker.name}
    assert verify(store).broken is None
    again = draft(store, 1, speaker, recipe, told)
    assert (again.num_instructions, again.num_outputs) == (0, 0)
    assert "4 instructions were drafted before: skipped" in told.lines


def test_items_that_have_outputs_are_drafted_too_when_all_are_asked_for(store, speaker, recipe) -> None:
    done = draft(store, 1, speaker, recipe, Told(), only_empty=False, limit=3)
    assert done.num_instructions == 3
    assert len(drafts_of(store)["Has one."]) == 3


def test_the_seed_and_the_instruction_alone_decide_its_drafts(tmp_path, store, speaker, recipe) -> None:
    """Neither the order of instructions, nor their number, nor how many are done in one run."""
    draft(store, 1, speaker, recipe, Told())
    with made(tmp_path, "reversed", RECORDS[::-1]) as other:
        for _ in range(5):
            torch.rand(1)  # somebody else draws
            draft(other, 1, speaker, recipe, Told(), limit=1)
        assert drafts_of(other) == drafts_of(store)
    with made(tmp_path, "seeded") as other:
        draft(other, 1, speaker, recipe.model_copy(update={"seed": 12}), Told())
        assert drafts_of(other) != drafts_of(store)


class _Interrupting(Told):
    """Presses Ctrl-C when so many instructions are drafted."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    @contextmanager
    def stage(self, *arguments, **options) -> Iterator[Bar]:
        with super().stage(*arguments, **options) as bar:
            advance = bar.advance

            def counted(*given, **figures) -> None:
                self.left -= 1
                if self.left < 0:
                    raise KeyboardInterrupt
                advance(*given, **figures)

            bar.advance = counted
            yield bar


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_interrupted_run_goes_on_where_it_stopped_and_doubles_nothing(tmp_path, speaker, recipe, after) -> None:
    with made(tmp_path, "whole") as whole, made(tmp_path, "cut") as cut:
        draft(whole, 1, speaker, recipe, Told())
        with pytest.raises(KeyboardInterrupt):
            draft(cut, 1, speaker, recipe, _Interrupting(after))
        assert len(drafted(cut, 1, recipe)) == after
        rest = draft(cut, 1, speaker, recipe, Told())
        assert rest.num_instructions == len(EMPTY) - after
        assert drafts_of(cut) == drafts_of(whole)
        assert len(list(outputs(cut, 1))) == len(list(outputs(whole, 1)))
        assert verify(cut).broken is None


@pytest.fixture(scope="module")
def out(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with a run whose adapter moved far from its start."""
    out = tmp_path_factory.mktemp("out")
    run = Workspace(out).run("law", "123")
    model = {"name_or_path": str(tiny_model), "dtype": "float32", "device": "cpu"}
    sources = [{"path": "a", "system": "Answer briefly."}]
    experiment = Experiment.model_validate({"name": "law", "model": model, "data": {"sources": sources}})
    tuned = METHODS["lora"](load(tiny_model)[0], LoraTuning(rank=2), dtype=torch.float32, seed=1)
    with torch.no_grad():
        for weight in tuned.trainable().values():
            weight.add_(torch.full_like(weight, 0.05))
    tuned.save(run / "adapter")
    write_text(run / "experiment.yaml", to_yaml(experiment))
    write_text(run / "run.json", "{}")
    Workspace(out).note("run", run)
    return out


@pytest.mark.slow
def test_a_run_that_was_killed_leaves_whole_batches_and_is_gone_on_with(tmp_path, tiny_model, speaker) -> None:
    records = [{"instruction": f"Question {number}?"} for number in range(48)]
    made(tmp_path, "killed", records).close()
    command = [sys.executable, "-m", "instructglm.cli.main", "annotate", "draft", "law", "--model", str(tiny_model)]
    options = ["--store", "killed.db", "-k", "2", "--max-new-tokens", "12"]
    recipe = Recipe(model=speaker.name, k=2, max_new_tokens=12)
    with open_store(tmp_path / "killed.db") as killed, made(tmp_path, "whole", records) as whole:
        process = subprocess.Popen([*command, *options], cwd=tmp_path, stderr=subprocess.DEVNULL)
        try:
            for _ in range(600):
                if drafted(killed, 1, recipe) or process.poll() is not None:
                    break
                time.sleep(0.1)
        finally:
            process.kill()
            process.wait()
        num_before = len(drafted(killed, 1, recipe))
        assert num_before > 0
        assert draft(killed, 1, speaker, recipe, Told()).num_instructions == 48 - num_before
        draft(whole, 1, speaker, recipe, Told())
        assert drafts_of(killed) == drafts_of(whole)
        assert verify(killed).broken is None


@pytest.mark.parametrize("tuned", [True, False])
def test_repeats_and_blanks_are_counted_and_what_is_missing_is_drawn_again(store, speaker, out, tuned: bool) -> None:
    """At a temperature near 0 all draws are the likeliest text: with random weights nothing, tuned the same."""
    writer = open_speaker(str(out)) if tuned else speaker
    cold = Recipe(model=writer.name, k=3, temperature=1e-4, max_new_tokens=6)
    context = writer.context([Message(role="user", content="Is it lawful?")])
    (likeliest,) = writer.write(context, 1, 0, Sampling(temperature=0, max_new_tokens=6))
    assert bool(likeliest.text) == tuned
    done = draft(store, 1, writer, cold, Told(), limit=1)
    assert (done.num_outputs, done.num_short) == (int(tuned), 1)
    assert (done.num_repeated, done.num_blank) == ((2 + 2 + 2, 0) if tuned else (0, 3 + 3 + 3))
    assert drafts_of(store) == ({"Is it lawful?": {likeliest.text}} if tuned else {})


def test_a_run_drafts_with_its_tuned_weights_and_is_named_by_them(out: Path, store: Store, tiny_model: Path) -> None:
    tuned, base = open_speaker(str(out)), open_speaker(str(tiny_model))
    assert tuned.name.startswith("law-123@")
    assert tuned.name == open_speaker(str(out / "runs" / "law-123")).name
    assert tuned.system == "Answer briefly."
    context = base.context([Message(role="user", content="Is it lawful?")])
    greedy = Sampling(temperature=0, max_new_tokens=8)
    assert tuned.write(context, 1, 0, greedy) != base.write(context, 1, 0, greedy)
    adapter = next((out / "runs" / "law-123" / "adapter").glob("*.safetensors"))
    content = adapter.read_bytes()
    try:
        adapter.write_bytes(content[:-4] + b"\0\0\0\0")
        assert open_speaker(str(out)).name != tuned.name
    finally:
        adapter.write_bytes(content)
    done = draft(store, 1, tuned, Recipe(model=tuned.name, k=2, max_new_tokens=4), Told(), limit=1)
    assert (done.num_outputs, done.model) == (2, tuned.name)


def test_a_system_message_stands_before_conversations_without_one(out: Path) -> None:
    speaker = open_speaker(str(out))
    said = (Message(role="user", content="Why?"),)
    expected = speaker.predictor.template.context((Message(role="system", content="Answer briefly."), *said)).input_ids
    assert speaker.context(said) == expected
    own = (Message(role="system", content="Be rude."), *said)
    assert speaker.context(own) == speaker.predictor.template.context(own).input_ids


def test_chatglm_drafts_several_outputs_of_one_prompt(chatglm_tokenizer) -> None:
    """A context that is read both ways: alone, each output is as it is beside the others."""
    torch.manual_seed(0)
    config = ChatGLMConfig(hidden_size=32, num_layers=2, num_attention_heads=2, inner_hidden_size=64)
    model = ChatGLMForCausalLM(config).eval()
    predictor = Predictor("tiny", model, template_for(chatglm_tokenizer), torch.device("cpu"), torch.float32)
    speaker = Speaker("tiny", predictor, iter(()))
    context = speaker.context([Message(role="user", content="你好?")])
    three = speaker.write(context, 3, 5, Sampling(max_new_tokens=6))
    assert len({one.text for one in three}) > 1
    assert three == speaker.write(context, 3, 5, Sampling(max_new_tokens=6))
    greedy = Sampling(temperature=0, max_new_tokens=6)
    assert speaker.write(context, 3, 5, greedy) == speaker.write(context, 1, 7, greedy) * 3


def test_a_local_model_expands_and_its_garbage_is_accounted_for(store: Store, speaker: Speaker) -> None:
    """Random weights write no JSON: every reply is told as dropped, and asking ends."""
    told = Told()
    wish = Wish(model=speaker.name, num=2, num_examples=1, num_per_reply=1)
    done = expand(store, 1, wish, asker(speaker, Sampling(max_new_tokens=8)), told)
    assert (done.num_kept, done.num_replies, done.num_tokens) == (0, 5, 40)
    assert all(one.dropped for one in accounts(store, 1))
    assert "5 replies in a row" in told.lines[-1]


def test_a_conversation_without_room_is_refused_with_the_next_move(speaker: Speaker) -> None:
    ask = asker(speaker, Sampling(max_new_tokens=500))
    with pytest.raises(RunError, match="this model reads 512") as caught:
        ask((Message(role="user", content="long " * 50),), 1)
    assert "--max-new-tokens" in caught.value.hint


def test_what_is_neither_run_nor_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no finished run"):
        open_speaker(str(tmp_path))
    with pytest.raises(ModelError, match="no such folder"):
        open_speaker(str(tmp_path / "nowhere"))
