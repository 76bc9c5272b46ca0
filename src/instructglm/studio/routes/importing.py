"""Importing a file or a pasted text: looked at first, then stored."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO, Literal

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from instructglm.annotation.exchange import FORMATS, Source, import_rows
from instructglm.annotation.exchange.previewing import preview_rows
from instructglm.annotation.store import Store
from instructglm.annotation.store.projects import ProjectInfo
from instructglm.core.errors import DataError
from instructglm.core.records import Fault
from instructglm.data.rows import Row, read_rows
from instructglm.studio.fields import Sent
from instructglm.studio.guard import ForAdmins, Me, Opened
from instructglm.studio.pages import render
from instructglm.studio.routes.home import ProjectId, project_of
from instructglm.studio.uploads import Upload, Uploads

router = APIRouter(route_class=ForAdmins)

PASTED = "pasted"
_LONGEST_NAME = 80


@router.get("/projects/{project}/import")
def ask(request: Request, opened: Opened, project: ProjectId) -> Response:
    """The form: a file, or a text."""
    return _form(request, project_of(opened, project))


def _form(request: Request, info: ProjectInfo, *, status: int = 200, **told: Any) -> Response:
    most_mb = request.app.state.options.max_body_bytes // 2**20
    values = {"faults": [], "hint": "", "pasted": "", "format": "", **told}
    formats = tuple(FORMATS)
    return render(request, "import.html", status=status, project=info, most_mb=most_mb, formats=formats, **values)


@router.post("/projects/{project}/import/preview")
async def receive(request: Request, me: Me, opened: Opened, project: ProjectId) -> Response:
    """Keep what was sent, and show what an import of it would store."""
    return await run_in_threadpool(_receive, request, me.person.id, opened, project, await request.form())


def _receive(request: Request, person: int, store: Store, project: int, form: FormData) -> Response:
    info, text, format = project_of(store, project), form.get("text"), _format(form.get("format"))
    name, source = _source(form.get("file"), text)
    if source is None:
        return _form(request, info, status=400, faults=["nothing_sent"])
    uploads: Uploads = request.app.state.uploads
    upload = uploads.keep(person, name, source)
    try:
        preview = preview_rows(store, project, [_rows_of(upload, format)])
    except FileNotFoundError:  # this person sent many more meanwhile
        return _form(request, info, status=410, faults=["upload_gone"])
    except DataError as error:
        uploads.drop(upload.token)
        told = {"faults": list(error.faults), "hint": error.hint, "pasted": text if name == PASTED else ""}
        return _form(request, info, status=400, format=format or "", **told)
    values: dict[str, Any] = {
        "project": info,
        "name": name,
        "token": upload.token,
        "preview": preview,
        "format": format or "",
    }
    return render(request, "import_preview.html", **values)


def _source(file: Any, text: Any) -> tuple[str, BinaryIO | None]:
    """What was sent and its name: the file where there is one, else the text."""
    if isinstance(file, UploadFile) and (file.filename or file.size):
        return _plain_name(file.filename or ""), file.file
    if isinstance(text, str) and text.strip():
        return PASTED, io.BytesIO(text.encode(errors="surrogatepass"))
    return "", None


def _plain_name(name: str) -> str:
    """The last part of a name, whatever folders and signs a browser put into it: it is only shown."""
    last = "".join(sign for sign in PureWindowsPath(name).name if sign.isprintable()).strip()
    return last[-_LONGEST_NAME:] or "file"


@router.post("/projects/{project}/import")
def store_records(request: Request, me: Me, opened: Opened, project: ProjectId, fields: Sent) -> Response:
    """Import what was looked at: all of it, or all but the faulty records, as chosen."""
    info, uploads, token = project_of(opened, project), request.app.state.uploads, fields.text("token")
    upload = uploads.find(me.person.id, token)
    if upload is None:
        return _form(request, info, status=410, faults=["upload_gone"])
    faulty: Literal["refuse", "leave out"] = "leave out" if fields.text("faulty") == "leave out" else "refuse"
    try:
        rows = _rows_of(upload, _format(fields.text("format")))
        done = import_rows(opened, project, [rows], faulty=faulty, person=me.person.id)
    except FileNotFoundError:
        return _form(request, info, status=410, faults=["upload_gone"])
    except DataError as error:
        return _form(request, info, status=400, faults=list(error.faults), hint=error.hint)
    uploads.drop(token)
    return render(request, "import_done.html", project=info, name=upload.name, imported=done)


def _format(sent: object) -> str | None:
    """The format that was named; None where the file's own look decides."""
    return sent if isinstance(sent, str) and sent in FORMATS else None


def _rows_of(upload: Upload, format: str | None) -> Source:
    return Source(upload.name, _records(upload), format)


def _records(upload: Upload) -> Iterator[tuple[str, Any] | Fault]:
    """The rows as the command line reads them.

    Raises:
        DataError: it is no file of rows, or a parquet file.
    """
    _refuse_parquet(upload.path, upload.name)
    for row in read_rows(upload.path, upload.name):
        yield (row.place, row.value) if isinstance(row, Row) else row


def _refuse_parquet(path: Path, name: str) -> None:
    """A few bytes of parquet may unpack into more than the server's memory."""
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            hint = f"Import it in the terminal: instructglm annotate import PROJECT {name}"
            raise DataError(f"{name}: is a parquet file; expected JSON, JSON lines, CSV or TSV", hint=hint)
