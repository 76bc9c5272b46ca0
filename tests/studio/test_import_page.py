"""Importing and exporting in the browser: looked at first, all or all but the faulty, and whatever is sent."""

from __future__ import annotations

import gzip
import io
import json
import re
from typing import Any

import pytest
from annotation_team import items
from visitors import Visit

from instructglm.annotation.exchange import FORMATS
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.reading import instructions, outputs
from instructglm.annotation.store.tables import Role
from instructglm.studio.uploads import KEPT_S, Uploads


def lines(*records: Any) -> bytes:
    return "\n".join(one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in records).encode()


def look(admin: Visit, project: int, body: bytes, name: str = "raw.jsonl", **fields: str) -> Any:
    data = {"csrf": admin.csrf, "text": "", **fields}
    return admin.client.post(f"/projects/{project}/import/preview", data=data, files={"file": (name, body)})


def token_in(page: str) -> str:
    (token,) = re.findall(r'name="token" value="([\w-]+)"', page)
    return token


MIXED = lines({"instruction": "One?", "outputs": ["1", "2"]}, '{"instruction": "Two?"', {"instruction": "Three?"})


def test_a_file_is_looked_at_before_it_is_stored(visit, local_store, project) -> None:
    admin = visit(Role.ADMIN)
    page = look(admin, project, MIXED).text
    assert re.search(r'<span class="big">2</span>new instructions', page)
    assert re.search(r'<span class="big">2</span>outputs', page)
    assert "raw.jsonl:2: line: found JSON that breaks off" in page
    assert list(instructions(local_store, project)) == []
    done = admin.form(f"/projects/{project}/import", token=token_in(page), faulty="leave out")
    assert "2 new instructions and 2 new outputs are stored" in done.text
    assert "raw.jsonl:2" in done.text
    assert len(list(instructions(local_store, project))) == 2
    again = admin.form(f"/projects/{project}/import", token=token_in(page), faulty="leave out")
    assert (again.status_code, "not here any more" in again.text) == (410, True)


def test_all_or_nothing_stores_nothing_where_a_line_is_wrong(visit, local_store, project) -> None:
    admin = visit(Role.ADMIN)
    page = look(admin, project, MIXED).text
    refused = admin.form(f"/projects/{project}/import", token=token_in(page), faulty="refuse")
    assert (refused.status_code, "raw.jsonl:2" in refused.text) == (400, True)
    assert list(instructions(local_store, project)) == []


def test_nobody_imports_what_another_one_sent(visit, local_store, project) -> None:
    first, second = visit(Role.ADMIN), visit(Role.ADMIN)
    token = token_in(look(first, project, MIXED).text)
    assert second.form(f"/projects/{project}/import", token=token).status_code == 410
    assert list(instructions(local_store, project)) == []


def test_a_pasted_text_is_a_file_too(visit, local_store, project) -> None:
    admin = visit(Role.ADMIN)
    csv = 'instruction,outputs,domain\r\nIs it?,"[""yes"", ""no""]",law\r\n'
    page = admin.form(f"/projects/{project}/import/preview", text=csv).text
    assert admin.form(f"/projects/{project}/import", token=token_in(page)).status_code == 200
    assert [one.text for one in outputs(local_store, project)] == ["yes", "no"]


def test_a_text_that_cannot_be_read_is_there_again(visit, project) -> None:
    answer = visit(Role.ADMIN).form(f"/projects/{project}/import/preview", text="only one line </textarea><b>")
    assert answer.status_code == 400
    assert "only one line &lt;/textarea&gt;" in answer.text


def test_a_file_of_another_tool_comes_with_its_answers(visit, local_store, project) -> None:
    admin = visit(Role.ADMIN)
    annotation = {"completed_by": 1, "result": [{"type": "choices", "from_name": "a", "value": {"choices": ["yes"]}}]}
    task = {"id": 1, "data": {"text": "Is it?"}, "annotations": [annotation]}
    page = look(admin, project, json.dumps([task, task | {"data": {"text": "Was it?"}}]).encode(), "tasks.json").text
    assert "Format: Label Studio" in page
    assert re.search(r'<span class="big">2</span>answers of people', page)
    done = admin.form(f"/projects/{project}/import", token=token_in(page), faulty="leave out").text
    assert "2 answers of people are stored" in done


def test_nothing_sent_is_told(visit, project) -> None:
    admin = visit(Role.ADMIN)
    for answer in (look(admin, project, b"", name=""), admin.form(f"/projects/{project}/import/preview", text=" ")):
        assert (answer.status_code, "Choose a file" in answer.text) == (400, True)


def _parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    held = io.BytesIO()
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 10_000]))
    pq.write_table(pa.table({"instruction": text, "output": text}), held)
    return held.getvalue()


HOSTILE = {
    "a parquet file that unpacks to gigabytes": _parquet,
    "an archive": lambda: gzip.compress(b"[" * 1_000_000),
    "a workbook": lambda: b"PK\x03\x04" + b"\0" * 100,
    "zeros": lambda: b"\0" * 10_000,
    "every byte": lambda: bytes(range(256)) * 50,
    "an open array a million deep": lambda: b"[" * 1_000_000,
    "an object a hundred thousand deep": lambda: b'{"instruction": "x", "extra": ' + b'{"a":' * 100_000,
    "a long line": lambda: lines({"instruction": "x" * 17_000_000}, {"instruction": "y"}),
    "half a character": lambda: b'{"instruction": "\\ud83d"}\n{"instruction": "x"}',
    "half a character as bytes": lambda: b'{"instruction": "\xed\xa0\xbd"}',
    "UTF-16": lambda: '{"instruction": "x"}'.encode("utf-16"),
    "a number with a million digits": lambda: b'{"instruction": "x", "extra": {"a": ' + b"9" * 1_000_000 + b"}}",
    "not a number": lambda: b'{"instruction": "x", "extra": {"a": NaN}}\n{"instruction": "y"}',
    "fields of the store": lambda: lines({"instruction": "x", "id": 1, "event": 9, "project": 7}),
    "wrong kinds": lambda: lines({"instruction": ["x"], "outputs": {"a": 1}, "choices": "a"}, [1], None, 7, "x"),
    "a very wide table": lambda: ",".join(f"c{one}" for one in range(50_000)).encode() + b"\n1",
    "a table without an end of its quote": lambda: b'a,b\n"' + b"x" * 100_000,
    "markup": lambda: lines({"instruction": "<script>alert(1)</script>{{ 7*7 }}", "domain": "</option><b>"}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_whatever_is_sent_is_answered_and_never_a_mistake_of_ours(visit, local_store, project, kind) -> None:
    admin = visit(Role.ADMIN)
    page = look(admin, project, HOSTILE[kind]())
    assert page.status_code in (200, 400), page.text[:500]
    assert "<script>alert" not in page.text
    if page.status_code == 200 and 'name="token"' in page.text:
        done = admin.form(f"/projects/{project}/import", token=token_in(page.text), faulty="leave out")
        assert done.status_code == 200
    for path in ("items", "settings", "rounds"):
        assert admin.get(f"/projects/{project}/{path}").status_code == 200
    for one in instructions(local_store, project):
        assert "<script>alert" not in admin.get(f"/projects/{project}/items/{one.id}").text


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "C:\\x\\y.json", "a\nb\u202e\0.json", "x" * 5000, "<b>.json", "'"]
)
def test_the_name_of_a_file_is_only_shown(visit, local_store, project, name, tmp_path) -> None:
    page = look(visit(Role.ADMIN), project, MIXED, name).text
    assert "etc/passwd:2" not in page
    assert "<b>.json" not in page
    assert len(page) < 20_000


def test_a_file_beyond_the_bound_is_refused(local_store, project) -> None:
    from starlette.testclient import TestClient
    from visitors import person_in

    from instructglm.studio import Options, create_app

    app = create_app(local_store, Options(max_body_bytes=2**20))
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        admin = person_in(client, local_store, Role.ADMIN)
        assert "up to 1 MB" in admin.get(f"/projects/{project}/import").text
        assert look(admin, project, b"x" * 2**21).status_code == 413


def test_what_is_sent_stays_for_an_hour_and_a_few_for_each_person() -> None:
    now = [0.0]
    uploads = Uploads(lambda: now[0])
    mine = [uploads.keep(1, "a", io.BytesIO(str(number).encode())) for number in range(4)]
    other = uploads.keep(2, "c", io.BytesIO(b"three"))
    assert uploads.find(1, mine[0].token) is None
    assert not mine[0].path.exists()
    assert uploads.find(1, other.token) is None
    assert uploads.find(1, mine[3].token).path.read_bytes() == b"3"
    for person in range(3, 30):
        uploads.keep(person, "d", io.BytesIO(b"x"))
    assert uploads.find(1, mine[3].token) is None
    late = uploads.keep(1, "e", io.BytesIO(b"four"))
    now[0] = KEPT_S
    assert uploads.find(1, late.token) is None
    uploads.keep(1, "f", io.BytesIO(b"five"))
    assert not late.path.exists()
    folder = late.path.parent
    del uploads
    assert not folder.exists()


def test_a_file_that_is_gone_from_the_disk_is_told(visit, local_store, project) -> None:
    admin = visit(Role.ADMIN)
    token = token_in(look(admin, project, MIXED).text)
    uploads = admin.client.app.state.uploads
    uploads.find(admin.person, token).path.unlink()
    answer = admin.form(f"/projects/{project}/import", token=token)
    assert answer.status_code in (400, 410)
    assert list(instructions(local_store, project)) == []


@pytest.mark.parametrize("format", FORMATS)
def test_a_project_goes_out_in_every_format(visit, local_store, project, format) -> None:
    import_records(local_store, project, items(3))
    admin = visit(Role.ADMIN)
    assert f'value="{format}"' in admin.get(f"/projects/{project}/items").text
    answer = admin.get(f"/projects/{project}/export?format={format}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''law-{format}{FORMATS[format].suffix}"
    assert "Question 2" in answer.text


def test_an_export_names_people_only_where_that_is_asked_for(visit, local_store, project) -> None:
    from instructglm.annotation.queue.answers import Answer
    from instructglm.annotation.queue.claim import next_task
    from instructglm.annotation.queue.rounds import open_round
    from instructglm.annotation.queue.save import save

    import_records(local_store, project, items(1))
    open_round(local_store, project)
    ann = visit(Role.ANNOTATOR)
    task = next_task(local_store, project, ann.person)
    save(local_store, ann.person, task.assignment, Answer(label="yes"), key="k", based_on=0)
    admin = visit(Role.ADMIN)
    assert ann.name not in admin.get(f"/projects/{project}/export?format=own").text
    assert ann.name in admin.get(f"/projects/{project}/export?format=own&names=1").text


@pytest.mark.parametrize("asked", ["", "?format=", "?format=zip", "?format=../own", "?names=1"])
def test_a_format_that_is_none_is_not_there(visit, project, asked) -> None:
    assert visit(Role.ADMIN).get(f"/projects/{project}/export{asked}").status_code == 404
