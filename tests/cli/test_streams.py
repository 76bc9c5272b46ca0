"""Closed, full and abandoned standard streams, in real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = f"{sys.executable} -m instructglm.cli.main config schema"


def shell(redirection: str, **options) -> subprocess.CompletedProcess[str]:
    command = f"set -o pipefail; {COMMAND} {redirection}"
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_swallows_what_is_written(closed: str) -> None:
    done = shell(closed)
    assert (done.returncode, done.stderr) == (0, "")


def test_files_never_take_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    code = "from instructglm.cli.streams import open_closed_streams as o; o(); print(open('x', 'w').fileno() > 2)"
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{code}" <&- 2>&-'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "True\n"


def test_a_full_stream_is_told() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = shell("> /dev/full")
    assert (done.returncode, done.stderr) == (2, "Error: standard output: cannot write: No space left on device\n")


def test_a_reader_that_has_gone_is_no_fault() -> None:
    done = shell("| true")
    assert done.returncode in (0, 141)
    assert done.stderr == ""
