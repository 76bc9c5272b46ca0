"""Every example in docs/formats.md is really read, by the source that stands above it."""

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from instructglm.config.data import RatingsSource, RowSource, Source
from instructglm.config.document import parse
from instructglm.config.keys import words_of
from instructglm.data.formats import FORMATS
from instructglm.data.sources import read_any

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
SECTIONS = dict(zip(*[iter(re.split(r"^## (.*)\n", PAGE, flags=re.MULTILINE)[1:])] * 2, strict=True))
NAMES = {*words_of(RowSource, "format"), *words_of(RatingsSource, "format")} - {"auto"}
NAMED_FILE = re.compile(r"^`([\w.]+)`\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SOURCES = re.compile(r"^```yaml\n(- .*?)^```$", re.MULTILINE | re.DOTALL)


def sources(section: str) -> list[RowSource | RatingsSource]:
    """The sources that a section shows, held to the same strictness as an experiment file."""
    (block,) = SOURCES.findall(section)
    return TypeAdapter(list[Source]).validate_python(parse(block, "formats.md").value)


def test_every_format_has_a_section_and_a_row_in_the_table() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (yes|no) \|", PAGE, re.MULTILINE))
    assert set(rows) == NAMES == set(SECTIONS) - {"Files inside a package"}
    assert [name for name in FORMATS if rows[name] != "yes"] == []
    assert [name for name, detected in rows.items() if detected == "yes" and name not in FORMATS] == []


@pytest.mark.parametrize("name", sorted(NAMES))
def test_its_example_is_read_whole(name: str, tmp_path: Path) -> None:
    files = dict(NAMED_FILE.findall(SECTIONS[name]))
    shown = sources(SECTIONS[name])
    used = {path for source in shown for path in (source.path, getattr(source, "texts", source.path))}
    assert used == set(files)
    for file, content in files.items():
        (tmp_path / file).write_text(content, encoding="utf-8")
    for source in shown:
        reading = read_any(source, tmp_path)
        assert reading.examples
        assert (reading.faults, reading.empty) == ([], [])
        assert {file.format for file in reading.files} == {name}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_it_says_whether_a_format_is_detected(name: str) -> None:
    detected = all(getattr(source, "format", "auto") == "auto" for source in sources(SECTIONS[name]))
    assert SECTIONS[name].split()[0] == ("Detected." if detected else "Named.")


def test_the_limit_of_a_row_is_the_real_one() -> None:
    from instructglm.data.text_files import MAX_ROW_BYTES

    assert f"as long as {MAX_ROW_BYTES >> 20} MiB" in PAGE
