"""The door: what is right comes in equal, what is wrong is named, all at once."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructglm.config.aliases import _BY_NAME, _IN_WORDS, _OURS_TO_OTHERS
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


def told(name: str) -> list[tuple[str, str]]:
    """The pairs of a file: what is written, and what is said about it."""
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    kept = [line.strip() for line in lines if line and not line.startswith("#")]
    return list(zip(kept[::2], kept[1::2], strict=True))


def only_fault(path: Path, *overrides: str) -> str:
    faults = faults_of(path, *overrides)
    assert len(faults) == 1, faults
    return faults[0]


# Round trip

NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True)
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


@settings(deadline=None)  # the file system's mood is not under test
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


@pytest.mark.parametrize(("lines", "fault"), told("faults.txt"))
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
    told_name = f"here it is called {_BY_NAME[other]}"
    assert only_fault(write(f"{MINIMAL}{other}: 1\n")) == f"experiment.yaml:5: {other}: unknown key; {told_name}"


@pytest.mark.parametrize("other", sorted(_IN_WORDS))
def test_what_we_do_otherwise_is_said_in_words(write: Any, other: str) -> None:
    assert only_fault(write(f"{MINIMAL}{other}: 1\n")) == f"experiment.yaml:5: {other}: unknown key; {_IN_WORDS[other]}"


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
        (
            "tuning={method: freeze, num_layers: 1}",
            ("tuning",),
            {"method": "freeze", "num_layers": 1, "train_head": False},
        ),
        ("training.early_stopping=null", ("training", "early_stopping"), None),
        ("title=a=b", ("title",), "a=b"),
    ],
)
def test_an_override_sets_its_key(write: Any, override: str, key: tuple[str | int, ...], value: Any) -> None:
    found: Any = load_experiment(write(MINIMAL), [override]).model_dump()
    for part in key:
        found = found[part]
    assert found == value


def test_the_last_override_of_a_key_holds(write: Any) -> None:
    assert load_experiment(write(MINIMAL), ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(("override", "fault"), told("override_faults.txt"))
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
        (
            "name: 情绪\n".encode("gbk"),
            "{path}:1: not UTF-8: byte 0xc7; the file looks like GBK or Latin-1\nSave it as UTF-8",
        ),
        (
            "name: mood\n".encode("utf-16"),
            "{path}:1: not UTF-8: byte 0xff; the file looks like UTF-16\nSave it as UTF-8",
        ),
    ],
)
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


def test_a_file_as_a_part_of_the_path_is_told_as_such(write: Any) -> None:
    path = write(MINIMAL) / "experiment.yaml"
    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        load_experiment(path)


def test_packing_and_another_attention_exclude_each_other(write: Any) -> None:
    path = write(MINIMAL)
    with pytest.raises(ConfigError) as caught:
        load_experiment(path, ["training.packing=shared_prefix", "model.attn_implementation=sdpa"])
    assert "model.attn_implementation is sdpa, and training.packing is shared_prefix" in str(caught.value)
    assert load_experiment(path, ["model.attn_implementation=sdpa"]).training.packing == "auto"
