"""`index.html` and `report.json` in one folder."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from instructglm.core.errors import StorageError
from instructglm.core.files import write_text
from instructglm.report.contents import Report
from instructglm.report.html import render_html

_PAGE, _DATA = "index.html", "report.json"


def write_report(report: Report, folder: Path) -> Path:
    """Write both files, each whole or not at all, and return the path of the page.

    Other files in the folder stay. The page is drawn before anything is
    written, so a report that cannot be drawn leaves the old files alone.

    Raises:
        StorageError: the disk is full, or the folder may not be written.
    """
    page, data = render_html(report), report.model_dump_json(indent=1)
    write_text(folder / _DATA, data + "\n")
    write_text(folder / _PAGE, page)
    return folder / _PAGE


def read_report(folder: Path) -> Report:
    """The report that `write_report` left in this folder, equal to the one it was given.

    Raises:
        StorageError: there is none, or it is damaged or of another version.
    """
    path = folder / _DATA
    try:
        return Report.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise StorageError(f"{path}: not found", hint="`instructglm run EXPERIMENT.yaml` writes it.") from None
    except ValidationError as error:
        faults = [f"{path}: {'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors()]
        hint = "It is damaged or of another version: write it again with `instructglm report`."
        raise StorageError(*faults, hint=hint) from None
