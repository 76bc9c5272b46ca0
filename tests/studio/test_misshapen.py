"""Bodies that no page of ours sends, to every route that changes something: answered, and never a mistake of ours."""

from __future__ import annotations

import re

import pytest
from annotation_team import items

from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.tables import Role
from instructglm.studio.routes import ROUTERS

PATHS = sorted({route.path for router in ROUTERS for route in router.routes if "POST" in route.methods})
FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
ALL = "name=a&role=admin&days=7&reason=r&label=yes&text=t&token=t&which=split&head=&output=1&criterion=c&value=1"


def _part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return (
        b'--x\r\nContent-Disposition: form-data; name="' + name + b'"' + more + b"\r\n\r\n" + value + b"\r\n--x--\r\n"
    )


BODIES = {
    "nothing": (FORM, b""),
    "JSON for a form": ("application/json", b'{"name": 1}'),
    "broken JSON": ("application/json", b'{"name": '),
    "no kind": ("", b"name=a"),
    "every field, twice": (FORM, f"{ALL}&{ALL}".encode()),
    "odd bytes": (FORM, b"name=%ff%00%ed%a0%bd&reason=%00&text=%ff&which=%ff&token=%00&head=%ff"),
    "far too many fields": (FORM, b"&".join(b"criterion=a" for _ in range(5000))),
    "parts that break off": (PARTS, b"--x\r\nContent-Dispo"),
    "parts with no boundary": ("multipart/form-data", b"--x\r\n\r\n--x--"),
    "parts of odd bytes": (PARTS, _part(b"\xff\xfe", b"\xed\xa0\xbd\0")),
    "a file for a text": (PARTS, _part(b"reason", b"x", b'; filename="a"')),
    "a text for a file": (PARTS, _part(b"file", b"x")),
    "a file without a name": (PARTS, _part(b"file", b"\xff\0", b'; filename=""')),
}


@pytest.mark.parametrize("path", PATHS)
def test_what_no_page_sends_is_answered(visit, local_store, project, path) -> None:
    import_records(local_store, project, items(1))
    admin = visit(Role.ADMIN)
    for name, (kind, body) in BODIES.items():
        if path == "/sign-out":
            admin = visit(Role.ADMIN)
        headers = {"X-CSRF-Token": admin.csrf, **({"Content-Type": kind} if kind else {})}
        answer = admin.client.post(re.sub(r"\{[^}]*\}", "1", path), content=body, headers=headers)
        assert answer.status_code < 500, (name, answer.text[:300])
