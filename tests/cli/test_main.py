"""The door from outside: exit codes, messages, and how little `--help` loads."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from instructglm.cli.main import app

HEAVY = (
    "torch",
    "transformers",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "matplotlib",
    "numpy",
    "pydantic",
    "yaml",
    "rich",
    "sqlalchemy",
    "alembic",
)
EXPERIMENT = "name: mood\ndata:\n  sources:\n    - path: a.jsonl\n"
STAGES = (
    ["estimate"],
    ["run"],
    ["train"],
    ["evaluate"],
    ["compare"],
    ["report"],
    ["data", "build"],
    ["data", "stats"],
    ["data", "preview"],
)


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    path = tmp_path / "experiment.yaml"
    path.write_text(EXPERIMENT)
    return path


def commands(command: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for child, inner in getattr(command, "commands", {}).items():
        yield (*name, child), inner
        yield from commands(inner, (*name, child))


ALL = dict(commands(get_command(app)))


def python(code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, **options)


# Help


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom instructglm.cli.main import main\nsys.argv = ['instructglm', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"sys.exit(' '.join(name for name in {HEAVY} if name in sys.modules) or 0)"
    )
    done = python(code)
    assert (done.returncode, done.stderr) == (0, "")
    assert "quickstart" not in done.stdout
    assert "run " in done.stdout


def test_help_takes_less_than_half_a_second_of_cpu() -> None:
    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "instructglm.cli.main", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(once() for _ in range(3)) < 0.5


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_every_command_has_help_and_an_example(cli: Any, name: tuple[str, ...]) -> None:
    done = cli(*name, "--help")
    assert done.code == 0
    if not hasattr(ALL[name], "commands"):
        assert f"Example: instructglm {' '.join(name)}" in done.out


def test_commands_that_report_can_do_so_as_json() -> None:
    silent = {("init",), ("chat",), ("config", "schema"), ("annotate", "serve")}
    reporting = [name for name, command in ALL.items() if not hasattr(command, "commands") and name not in silent]
    assert [name for name in reporting if "as_json" not in {param.name for param in ALL[name].params}] == []


@pytest.mark.parametrize(
    ("arguments", "message"), [(["runn"], "run"), (["run"], "EXPERIMENT.yaml"), (["run", "x", "--ou"], "--out")]
)
def test_a_slip_in_the_command_itself_is_exit_code_2(cli: Any, arguments: list[str], message: str) -> None:
    done = cli(*arguments)
    assert done.code == 2
    assert message in done.err


# The user's mistakes


@pytest.mark.parametrize("stage", STAGES, ids=" ".join)
def test_a_missing_experiment_is_named_with_the_next_move(cli: Any, stage: list[str], tmp_path: Path) -> None:
    done = cli(*stage, tmp_path / "nope.yaml")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        f"Error: {tmp_path}/nope.yaml: no such file",
        "`instructglm init` writes a commented experiment file to start from.",
    ]


@pytest.mark.parametrize("stage", [*STAGES, ["config", "check"]], ids=" ".join)
def test_all_faults_of_file_and_overrides_are_told_at_once(cli: Any, stage: list[str], experiment: Path) -> None:
    experiment.write_text(EXPERIMENT + "training:\n  learning_rat: 1e-4\nlora_rank: 8\n")
    done = cli(*stage, experiment, "seed=x")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        f"Error: {experiment}:6: training.learning_rat: unknown key; did you mean learning_rate?",
        f"{experiment}:7: lora_rank: unknown key; here it is called tuning.rank",
        'command line: seed: found the text "x"; expected a whole number',
    ]


@pytest.mark.parametrize("stage", STAGES, ids=" ".join)
def test_a_folder_that_cannot_be_written_is_told_before_any_work(cli: Any, stage: list[str], experiment: Path) -> None:
    (experiment.parent / "file").write_text("x")
    done = cli(*stage, experiment, "--out", experiment.parent / "file" / "out")
    assert (done.code, done.out) == (2, "")
    assert "cannot write: Not a directory" in done.err
    assert "--out" in done.err


# Interruptions and bugs

WAITING = """
import time
from instructglm.cli.main import app, main

@app.command()
def wait():
    print("ready", flush=True)
    {body}

main()
"""


def test_ctrl_c_ends_with_the_next_move_and_exit_code_2() -> None:
    code = WAITING.format(body="time.sleep(60)")
    process = subprocess.Popen([sys.executable, "-c", code, "wait"], stdout=-1, stderr=-1, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert err == "\nInterrupted: what is finished stays. Run the same command again to go on from there.\n"


def test_a_bug_keeps_its_traceback() -> None:
    code = WAITING.format(body="[][1]")
    done = subprocess.run([sys.executable, "-c", code, "wait"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "IndexError" in done.stderr


@pytest.mark.parametrize(
    ("missing", "code", "message"),
    [
        ("torch", 2, "pip install 'instructglm[train]'"),
        ("sqlalchemy", 2, "pip install 'instructglm[annotate]'"),
        ("typo", 1, "Traceback"),
    ],
)
def test_a_missing_extra_is_named_and_a_missing_module_of_ours_is_a_bug(missing: str, code: int, message: str) -> None:
    body = f"raise ModuleNotFoundError(name={missing!r})"
    done = subprocess.run(
        [sys.executable, "-c", WAITING.format(body=body), "wait"], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert message in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    process = subprocess.Popen([sys.executable, "-m", "instructglm.cli.main", "config", "schema"], stdout=-1, stderr=-1)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=20) == 141


def test_a_terminal_that_lacks_a_character_gets_its_code(experiment: Path) -> None:
    experiment.write_text(EXPERIMENT + "title: 情绪\n", encoding="utf-8")
    command = [sys.executable, "-m", "instructglm.cli.main", "config", "check", str(experiment)]
    done = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": "latin-1"}, capture_output=True, check=False)
    assert done.returncode == 0
    assert b"title: \\u60c5\\u7eea\n" in done.stdout


# config and env


def test_config_check_prints_a_file_that_means_the_same(cli: Any, experiment: Path) -> None:
    from instructglm.config.loading import load_experiment

    done = cli("config", "check", experiment, "seed=3")
    assert done.code == 0
    written = experiment.with_name("resolved.yaml")
    written.write_text(done.out)
    assert load_experiment(written) == load_experiment(experiment, ["seed=3"])


def test_config_check_as_json(cli: Any, experiment: Path) -> None:
    import json

    assert json.loads(cli("config", "check", experiment, "--json").out)["data"]["sources"][0]["path"] == "a.jsonl"


def test_config_schema_names_every_key(cli: Any) -> None:
    import json

    from instructglm.config.keys import all_keys

    schema = json.loads(cli("config", "schema").out)
    sections = [schema, *schema["$defs"].values()]
    named = {key for section in sections for key in section.get("properties", {})}
    assert {key.rpartition(".")[2] for key in all_keys()} <= named
    assert all(section.get("additionalProperties") is False for section in sections if "properties" in section)


def test_env_tells_versions_and_hardware(cli: Any) -> None:
    import json

    found = json.loads(cli("env", "--json").out)
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["packages"]["instructglm"]
    assert Path(found["cache"]).is_absolute()
    plain = cli("env").out
    assert all(f"{name}:" in plain for name in [*found["packages"], "device", "cache"])
