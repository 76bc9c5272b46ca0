"""Writing and reading back."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from instructglm.core.errors import StorageError
from instructglm.report.contents import CurvePoint, Report
from instructglm.report.files import read_report, write_report


def test_what_is_read_is_what_was_written(report: Report, tmp_path: Path) -> None:
    page = write_report(report, tmp_path / "deep" / "report")
    assert page == tmp_path / "deep" / "report" / "index.html"
    assert read_report(page.parent) == report
    assert sorted(path.name for path in page.parent.iterdir()) == ["index.html", "report.json"]


def test_a_diverged_loss_survives(build: Callable[..., Report], tmp_path: Path) -> None:
    whole = build(num_samples=1)
    assert whole.training is not None
    curve = (CurvePoint(step=1, loss=math.nan), CurvePoint(step=2, loss=-math.inf))
    report = whole.model_copy(update={"training": whole.training.model_copy(update={"train_curve": curve})})
    write_report(report, tmp_path)
    training = read_report(tmp_path).training
    assert training is not None
    assert math.isnan(training.train_curve[0].loss)
    assert training.train_curve[1].loss == -math.inf


def test_other_files_in_the_folder_stay(build: Callable[..., Report], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    write_report(build(num_samples=1), tmp_path)
    write_report(build(num_samples=2), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(read_report(tmp_path).samples) == len(build(num_samples=2).samples)


def test_a_missing_report_is_a_clear_message(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"report\.json: not found"):
        read_report(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"title": 3}'])
def test_a_damaged_report_names_its_faults(tmp_path: Path, content: str) -> None:
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(StorageError, match="damaged or of another version"):
        read_report(tmp_path)


def test_a_file_in_the_way_is_a_clear_message(build: Callable[..., Report], tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file")
    with pytest.raises(StorageError, match="cannot write"):
        write_report(build(num_samples=1), tmp_path / "report")
    assert (tmp_path / "report").read_text() == "a file"
