"""Several processes from the one command: what a user sees of them, and of one that dies."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from terminal import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.alone]

TWO = "training.distributed={strategy: fsdp, processes: 2}"


def ranks_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes that a command has started to train, by rank."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=False
    )
    return sorted(map(int, listed.stdout.split()))


def results(out: Path) -> tuple[object, bytes]:
    """What two equal trainings agree on: every loss, and the adapter."""
    (run,) = (folder for folder in (out / "runs").iterdir() if folder.is_dir())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [[(key, value) for key, value in line.items() if not key.endswith("_s")] for line in lines]
    return losses, (run / "adapter" / "adapter_model.safetensors").read_bytes()


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("step-"))


def run_on_two_nodes(mood) -> str:
    """Two machines are two commands here, on one disk; what the second one tells."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    nodes = f"training.distributed={{strategy: fsdp, processes: 1, nodes: 2, rendezvous: 'localhost:{port}'}}"
    second = mood.start("train", nodes, "training.distributed.node_rank=1")
    first = mood.run("train", nodes, "training.distributed.node_rank=0")
    told = second.communicate(timeout=60)[1]
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + told
    return told


def test_a_process_that_dies_ends_all_and_the_same_command_goes_on_bit_by_bit(project, refused) -> None:
    """The run that was never stopped lies on two nodes: how processes lie on nodes does not count."""
    whole, cut = project("whole"), project("cut")
    told = run_on_two_nodes(whole)
    assert "node 1 of 2 trains with the others" in told
    assert "validation loss" not in told

    process = cut.start("train", TWO)
    told = wait_for(process, "step 12:")
    assert told.count("validation loss") == 3  # at 0, 6 and 12: one process speaks
    ranks = ranks_of(process)
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
    told += process.communicate(timeout=60)[1]
    refused(subprocess.CompletedProcess([], process.returncode, "", told), "process 1 of 2 was ended by SIGKILL")
    assert "The last checkpoint is intact. The same command goes on from there." in told
    assert not any(map(is_running, ranks))

    process = cut.start("train", TWO)
    assert "training goes on from step" in wait_for(process, "step 24:")
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=60)[1]
    assert (process.returncode, "Traceback" in told) == (128 + signal.SIGTERM, False)
    assert "Run the same command again to go on from there." in told
    (saved,) = cut.out.glob("runs/*.partial/checkpoints/step-*")
    assert step_of(saved) >= 24
    assert not cut.half_written()

    done = cut.run("train", TWO)
    assert f"training goes on from step {step_of(saved)} of 60" in done.stderr
    assert results(cut.out) == results(whole.out)


def test_two_processes_share_the_task_metrics_and_have_those_of_one(project) -> None:
    """Nine questions for two: one is asked five."""
    short = ("training.max_steps=6", "training.eval_steps=3", "tuning.dropout=0")
    watched = "training.eval_metrics={metrics: [accuracy, generated_accuracy, macro_f1], num_examples: 9}"
    told = []
    for name, more in {"alone": (), "two": ("training.distributed={strategy: ddp, processes: 2}",)}.items():
        mood = project(name)
        done = mood.run("train", watched, *short, *more)
        assert done.returncode == 0, done.stderr
        (log,) = mood.out.glob("runs/*/metrics.jsonl")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        told.append([{key: line[key] for key in line if "validation_" in key and "loss" not in key} for line in lines])
    assert told[0] == told[1]
    assert [line["num_items_validation_accuracy"] for line in told[0] if line] == [9, 9, 9]


@pytest.mark.parametrize("after_s", [0.0, 2.0])
def test_ctrl_c_while_the_processes_only_start_ends_in_one_calm_line(project, refused, after_s) -> None:
    """They import for some seconds, in which an interpreter answers SIGINT with a traceback."""
    process = project().start("train", TWO)
    while process.poll() is None and not (ranks := ranks_of(process)):
        time.sleep(0.01)
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    refused(subprocess.CompletedProcess([], process.returncode, "", told), "Interrupted: what is finished stays.")
    assert told.count("Interrupted") == 1
    ended_by = time.monotonic() + 30
    while any(map(is_running, ranks)) and time.monotonic() < ended_by:  # one that was about to be started ends alone
        time.sleep(0.1)
    assert not any(map(is_running, ranks))


def test_under_torchrun_the_command_says_that_it_starts_it_itself(project, refused) -> None:
    done = project().run("train", TWO, env=os.environ | {"TORCHELASTIC_RUN_ID": "none"})
    refused(done, "this command was started by torchrun", "Start `instructglm` once on every node")
