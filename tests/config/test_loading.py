"""The door: what is right comes in equal, what is wrong is named, all at once."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.config.aliases import _BY_NAME, _OURS_TO_OTHERS
from instructglm.config.experiment import Experiment
from instructglm.config.keys import all_keys
from instructglm.config.loading import load_experiment, to_yaml
from instructglm.core.errors import ConfigError

MINIMAL = "name: mood\ndata:\n  sources:\n    - path: a.jsonl\n"


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str | bytes, name: str = "experiment.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def faults_of(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_experiment(path, overrides)
    return [fault.replace(f"{path.parent}/", "") for fault in caught.value.faults]


def only_fault(path: Path, *overrides: str) -> str:
    faults = faults_of(path, *overrides)
    assert len(faults) == 1, faults
    return faults[0]


# Round trip

NAMES = st.from_regex(r"[a-z][\w.-]{0,8}", fullmatch=True)
SOURCES = st.fixed_dictionaries(
    {"path": st.text() | st.lists(st.text())},
    optional={
        "task": NAMES,
        "instruction": st.text(),
        "choices": st.lists(st.sampled_from(["yes", "no", "1e-4", "null", "好"]) | st.text()),
        "limit": st.fixed_dictionaries({}, optional={"train": st.integers(1)}),
    },
) | st.fixed_dictionaries(
    {
        "format": st.just("ratings"),
        "path": st.text(),
        "texts": st.text(),
        "labels": st.dictionaries(st.text(), st.tuples(st.floats(-4, 4), st.floats(-4, 4)), min_size=2, max_size=3),
    }
)
EXPERIMENTS = st.builds(
    lambda **sections: Experiment.model_validate(sections),
    name=NAMES,
    title=st.none() | st.text(),
    data=st.fixed_dictionaries({"sources": st.lists(SOURCES, min_size=1, max_size=2)}),
    tuning=st.sampled_from([{"method": "full"}, {"method": "freeze"}, {"method": "lora", "targets": ["q", "v"]}]),
    training=st.fixed_dictionaries({"learning_rate": st.floats(1e-9, 1)}, optional={"early_stopping": st.none()}),
    evaluation=st.sampled_from([{}, {"models": ["tuned", {"name": "other", "name_or_path": "x/y"}]}]),
)


@given(experiment=EXPERIMENTS)
def test_an_experiment_survives_its_file(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("round") / "experiment.yaml"
    path.write_text(to_yaml(experiment), encoding="utf-8")
    assert load_experiment(path) == experiment


def test_numbers_and_words_mean_what_they_look_like(write: Any) -> None:
    path = write(
        "name: mood\n"
        "data: {sources: [{path: a.jsonl, choices: [yes, no, on]}]}\n"
        "training: {learning_rate: 1e-4, num_train_epochs: 2}\n"
    )
    experiment = load_experiment(path)
    assert experiment.data.sources[0].choices == ["yes", "no", "on"]  # type: ignore[union-attr]
    assert experiment.training.learning_rate == 1e-4
    assert experiment.training.num_train_epochs == 2.0


def test_a_byte_order_mark_does_no_harm(write: Any) -> None:
    assert load_experiment(write(b"\xef\xbb\xbf" + MINIMAL.encode())).name == "mood"


# Faults


def test_all_faults_are_told_together_in_the_order_of_the_file(write: Any) -> None:
    path = write(
        "name: my mood\n"
        "sed: 4\n"
        "data:\n"
        "  sources:\n"
        "    - {path: a.jsonl, format: alpacca}\n"
        "    - {format: ratings, path: r.txt, labels: {good: [1], bad: [a, 2, 3]}}\n"
        "tuning: {method: lorra}\n"
        "training:\n"
        "  learning_rat: 1e-4\n"
        "  batch_size: 3.5\n"
    )
    faults = faults_of(path, "training.max_steps=0")
    assert [fault.partition(": ")[0] for fault in faults] == [
        f"experiment.yaml:{line}" for line in (1, 2, 5, 6, 6, 6, 7, 9, 10)
    ] + ["command line"]
    assert faults[1] == "experiment.yaml:2: sed: unknown key; did you mean seed?"
    assert faults[7] == "experiment.yaml:9: training.learning_rat: unknown key; did you mean learning_rate?"
    assert faults[9] == "command line: training.max_steps: found 0; expected at least 1"


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("training: {learning_rate: '1e-4'}", 'training.learning_rate: found the text "1e-4"; expected a number; take the quotes away'),
        ("training: {learning_rate: high}", 'training.learning_rate: found the text "high"; expected a number'),
        ("training: {learning_rate: .inf}", "training.learning_rate: found Infinity; expected a finite number"),
        ("training: {learning_rate: 0}", "training.learning_rate: found 0; expected more than 0"),
        ("training: {warmup_ratio: 1}", "training.warmup_ratio: found 1; expected less than 1"),
        ("training: {batch_size: true}", "training.batch_size: found true; expected a whole number"),
        ("training: {gradient_checkpointing: yes}", 'training.gradient_checkpointing: found the text "yes"; expected true or false'),
        ("training: {lr_scheduler_type: cosin}", 'training.lr_scheduler_type: found the text "cosin"; expected one of cosine, linear, constant, constant_with_warmup, polynomial, inverse_sqrt; did you mean cosine?'),
        ("training: {batch_size: 2}", "training: micro_batch_size 8 is larger than batch_size 2"),
        ("training:", "training: found nothing; expected a mapping (key: value)"),
        ("tuning: {method: lorra, rank: 3}", 'tuning.method: found the text "lorra"; expected one of full, freeze, lora; did you mean lora?'),
        ("tuning: {method: full, rank: 3}", "tuning.rank: this key goes with method lora, not with full"),
        ("tuning: {rank: a}", 'tuning.rank: found the text "a"; expected a whole number'),
        ("tuning: {targets: 3}", "tuning.targets: found 3; expected text or a list; put it in quotes to mean the text"),
        ("tuning: {targets: [q, 3]}", "tuning.targets[1]: found 3; expected text; put it in quotes to mean the text"),
        ("evaluation: {models: [base, 3]}", "evaluation.models[1]: found 3; expected text or a mapping (key: value); put it in quotes to mean the text"),
        ("evaluation: {models: [{nam: x, name: x, name_or_path: y}]}", "evaluation.models[0].nam: unknown key; did you mean name?"),
        ("evaluation: {models: [better]}", "evaluation: 'better' is neither base nor tuned; give other models as {name: ..., name_or_path: ...}"),
        ("learning_rate: 1e-4", "learning_rate: unknown key here; did you mean training.learning_rate?"),
        ("batch_size: 4", "batch_size: unknown key here; did you mean training.batch_size or evaluation.batch_size?"),
        ("zzz: 1", "zzz: unknown key; known here: name, title, seed, model, data, tuning, training, evaluation"),
        ("data: {sources: []}", "data.sources: found a list of 0; expected at least 1 entries"),
        ("data: {sources: [{path: a, choices: atuo}]}", 'data.sources[0].choices: found the text "atuo"; expected a list or one of auto, none; did you mean auto?'),
        ("data: {sources: [{path: a, choices: [1, b]}]}", "data.sources[0].choices[0]: found 1; expected text; put it in quotes to mean the text"),
        ("data: {sources: [{path: a, texts: b}]}", "data.sources[0].texts: this key goes with format ratings, not with auto, alpaca, belle, ..."),
        ("data: {sources: [{path: a}], split: {validation: 0.6, test: 0.6}}", "data.split: validation + test is 1.2; nothing is left to train on"),
        ("data: {sources: [{format: lines, path: a}]}", "data.sources[0]: `output` goes with `format: lines`, and `lines` needs it"),
    ],
)  # fmt: skip
def test_a_fault_in_plain_words(write: Any, lines: str, fault: str) -> None:
    text = f"name: mood\n{lines}\n" + ("" if lines.startswith("data") else "data: {sources: [{path: a}]}\n")
    assert only_fault(write(text)) == f"experiment.yaml:2: {fault}"


def test_a_missing_key_says_what_it_is_for(write: Any) -> None:
    fault = only_fault(write("name: mood\ndata:\n  sources:\n    - task: x\n"))
    assert fault.startswith("experiment.yaml:4: data.sources[0].path: missing: A file, a glob")


def test_a_repeated_key_is_a_fault_among_the_others(write: Any) -> None:
    faults = faults_of(write(MINIMAL + "seed: 1\nseed: a\nsed: 2\n"))
    assert faults == [
        "experiment.yaml:6: seed: this key stands twice (first at line 5); keep one",
        "experiment.yaml:7: sed: unknown key; did you mean seed?",
    ]
    assert faults_of(write(MINIMAL + "seed: 1\nseed: 1\n"))


@pytest.mark.parametrize("other", sorted(_BY_NAME))
def test_the_keys_of_other_frameworks_are_answered_with_ours(write: Any, other: str) -> None:
    assert (
        only_fault(write(f"{MINIMAL}{other}: 1\n"))
        == f"experiment.yaml:5: {other}: unknown key; here it is called {_BY_NAME[other]}"
    )


def test_aliases_lead_to_keys_that_exist_and_are_not_ours() -> None:
    known = [*all_keys(), "data.sources[0].limit.train"]
    assert set(_OURS_TO_OTHERS) <= set(known)
    assert sum(map(len, _OURS_TO_OTHERS.values())) == len(_BY_NAME)
    assert not set(_BY_NAME) & {key.rpartition(".")[2] for key in known}


# Overrides


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("training.learning_rate=1e-4", ("training", "learning_rate"), 1e-4),
        ("data.sources.0.limit.train=50", ("data", "sources", 0, "limit", "train"), 50),
        ("data.sources[0].choices=[yes, no]", ("data", "sources", 0, "choices"), ["yes", "no"]),
        ("tuning={method: freeze, num_layers: 1}", ("tuning",), {"method": "freeze", "num_layers": 1, "train_head": False}),
        ("training.early_stopping=null", ("training", "early_stopping"), None),
        ("title=a=b", ("title",), "a=b"),
    ],
)  # fmt: skip
def test_an_override_sets_its_key(write: Any, override: str, key: tuple[str | int, ...], value: Any) -> None:
    found: Any = load_experiment(write(MINIMAL), [override]).model_dump()
    for part in key:
        found = found[part]
    assert found == value


def test_the_last_override_of_a_key_holds(write: Any) -> None:
    assert load_experiment(write(MINIMAL), ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("training.learning_rat=1", "command line: training.learning_rat: unknown key; did you mean learning_rate?"),
        ("trainig.batch_size=1", "command line: trainig: unknown key; did you mean training?"),
        ("lora_rank=4", "command line: lora_rank: unknown key; here it is called tuning.rank"),
        ("training.learning_rate=high", 'command line: training.learning_rate: found the text "high"; expected a number'),
        ("training", "command line: found 'training'; expected KEY=VALUE such as training.learning_rate=1e-4"),
        ("=3", "command line: found '=3'; expected KEY=VALUE such as training.learning_rate=1e-4"),
        ("a..b=3", "command line: found 'a..b=3'; expected KEY=VALUE such as training.learning_rate=1e-4"),
        ("seed=[1", "command line, value of seed:1:3: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("data.sources.3.path=x", "command line: data.sources[3]: data.sources has 1 entries, counted from 0"),
        ("data.sources.first.path=x", "command line: data.sources.first: found 'first'; expected a position such as 0 after data.sources"),
        ("training.0=x", "command line: training[0]: found 0; expected a name after training"),
        ("name.x=1", "command line: name.x: name holds a single value, so nothing can be set inside it"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_named(write: Any, override: str, fault: str) -> None:
    assert only_fault(write(MINIMAL), override) == fault


# Files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "{path}: the file is empty\n`instructglm init`"),
        (b" \n\n", "{path}: the file is empty\n`instructglm init`"),
        (b"# only a comment\n", "{path}: the file holds no keys\n`instructglm init`"),
        (b"- a\n- b\n", "{path}: found a list of 2; expected keys such as name, data, training\n`instructglm init`"),
        ("name: 情绪\n".encode("gbk"), "{path}:1: not UTF-8: byte 0xc7; the file looks like GBK or Latin-1\nSave it as UTF-8"),
        ("name: mood\n".encode("utf-16"), "{path}:1: not UTF-8: byte 0xff; the file looks like UTF-16\nSave it as UTF-8"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_experiment(write: Any, content: bytes, message: str) -> None:
    path = write(content)
    with pytest.raises(ConfigError) as caught:
        load_experiment(path)
    assert str(caught.value).startswith(message.format(path=path))


def test_a_missing_file_leads_to_init_or_to_the_one_that_was_meant(tmp_path: Path, write: Any) -> None:
    with pytest.raises(ConfigError, match=r"mood\.yaml: no such file\n`instructglm init`"):
        load_experiment(tmp_path / "mood.yaml")
    there = write(MINIMAL, "mod.yaml")
    with pytest.raises(ConfigError, match=f"no such file\nDid you mean {there}"):
        load_experiment(tmp_path / "mood.yaml")
    with pytest.raises(ConfigError, match=f"this is a folder; expected an experiment file\nDid you mean {there}"):
        load_experiment(tmp_path)
