"""Every exchange format that is listed keeps the same promises."""

import io

import pytest
from exchanged import content, full_project, sent, taken

from instructglm.annotation.exchange import FORMATS, export
from instructglm.annotation.store import open_store
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.verify import verify
from instructglm.core.errors import DataError
from instructglm.data.annotation_files import import_files, import_stream


class Clock:
    now_ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    clock = Clock()
    with open_store(tmp_path_factory.mktemp("source") / "a.db", create=True, clock=clock) as store:
        yield store, full_project(store, clock)


@pytest.fixture
def target(tmp_path):
    with open_store(tmp_path / "b.db", create=True) as store:
        yield store, create_project(store, "new")


every_format = pytest.mark.parametrize("name", FORMATS)


@every_format
def test_it_is_listed_by_its_name_and_knows_its_own_files(name: str, source, target, tmp_path) -> None:
    format = FORMATS[name]
    assert (format.name, format.suffix[0]) == (name, ".")
    file = tmp_path / f"law{format.suffix}"
    account = sent(*source, file, name)
    done = import_files(*target, [file])
    assert (done.formats, done.num_instructions, done.faults) == ({str(file): name}, 3, ())
    assert [one.held for one in content(*target)] == [one.held for one in content(*source)]
    assert account.num_instructions == 3
    assert verify(target[0]).broken is None


@every_format
def test_again_doubles_nothing_from_a_stream_too(name: str, source, target) -> None:
    held = b"".join(export(*source, name))
    first = import_stream(*target, io.BytesIO(held), "upload")
    again = import_stream(*target, io.BytesIO(held), "upload", format=name)
    assert first.formats == {"upload": name}
    assert (again.num_instructions, again.num_outputs, again.num_answers) == (0, 0, 0)
    assert again.num_known_answers == first.num_answers


@every_format
def test_people_are_hidden_unless_asked_for(name: str, source) -> None:
    assert "王".encode() not in b"".join(export(*source, name))


@every_format
def test_nothing_said_and_nobody_there_is_no_traceback(name: str, target, tmp_path) -> None:
    account = sent(*target, tmp_path / "empty", name)
    assert (account.num_instructions, +account.left_out) == (0, {})
    if name == "own":  # whose first line says what would follow
        assert taken(*target, tmp_path / "empty").num_instructions == 0
        return
    with pytest.raises(DataError, match=r"empty: .*(holds no rows|the file is empty)"):
        taken(*target, tmp_path / "empty")
