"""A file in another encoding is refused with its place, its look and the command that mends it."""

import json
import shlex
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructglm.core.errors import DataError
from instructglm.data import encodings
from instructglm.data.encodings import guess_encoding, text_encoding
from instructglm.data.rows import Row, read_rows

CHINESE = "请把下面的句子翻译成英文，并说明理由。"
ROW = json.dumps({"instruction": CHINESE, "output": "好的"}, ensure_ascii=False)


def error_of(path):
    with pytest.raises(DataError) as caught:
        text_encoding(path, path.name)
    return str(caught.value)


def test_gbk_names_line_offset_look_and_command(tmp_path):
    first = '{"instruction": "a", "output": "b"}\n'
    (tmp_path / "a.jsonl").write_bytes((first + ROW).encode("gbk"))
    offset = len(first) + len('{"instruction": "')
    message = error_of(tmp_path / "a.jsonl")
    assert f"a.jsonl:2: byte {offset} (0xc7) is not UTF-8; the file reads as GBK" in message
    assert CHINESE[:10] in message
    assert "iconv -f GB18030 -t UTF-8 a.jsonl > a.utf8.jsonl" in message


@pytest.mark.skipif(shutil.which("iconv") is None, reason="iconv is not installed")
def test_the_command_that_is_shown_mends_the_file(tmp_path):
    (tmp_path / "my file.jsonl").write_bytes(f"{ROW}\n{ROW}".encode("gb18030"))
    command = error_of(tmp_path / "my file.jsonl").split("Convert it: ")[1]
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    mended = tmp_path / shlex.split(command)[-1]
    assert [row.value for row in read_rows(mended, "a") if isinstance(row, Row)] == [json.loads(ROW)] * 2


@pytest.mark.parametrize(
    ("codec", "text", "name"),
    [
        ("gbk", CHINESE, "GB18030"),
        ("gb18030", "简单的一句话", "GB18030"),
        ("big5", "請把下面的句子翻譯成英文並說明理由", "BIG5"),
        ("shift_jis", "これはテストです。よろしくお願いします。", "SHIFT_JIS"),
        ("cp1252", "Où est la bibliothèque, s'il vous plaît ?", "WINDOWS-1252"),
        ("utf-16-le", "plain text without a mark", "UTF-16LE"),
        ("utf-16-be", "plain text without a mark", "UTF-16BE"),
    ],
)
def test_the_usual_encodings_are_recognised(codec, text, name):
    assert guess_encoding(text.encode(codec)) == (name, text)


def test_bytes_that_are_no_text(tmp_path):
    assert guess_encoding(bytes(range(256)) * 4) is None
    (tmp_path / "a.bin").write_bytes(bytes(range(200, -1, -1)) * 4)
    assert "Is it a text file?" in error_of(tmp_path / "a.bin")


def test_damage_in_a_sound_file_is_not_taken_for_another_encoding(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(f"{ROW}\n{ROW}\n".encode() + b'{"a": "\xff"}')
    message = error_of(tmp_path / "a.jsonl")
    assert "a.jsonl:3: byte" in message
    assert "though all before it is" in message
    assert "iconv" not in message


def test_a_file_cut_inside_a_character(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(ROW.encode()[: -len('"}') - 1])
    assert "is not UTF-8, though all before it is" in error_of(tmp_path / "a.jsonl")


def test_damaged_utf16(tmp_path):
    (tmp_path / "a.jsonl").write_bytes("ab\n".encode("utf-16") + b"\x00\xd8a\x00")
    assert "a.jsonl:2: byte 8 (0x00) is not UTF-16-LE" in error_of(tmp_path / "a.jsonl")


@settings(max_examples=60, deadline=None)
@given(before=st.text("ab\n好é😀", max_size=60), chunk=st.integers(1, 16))
def test_the_bad_byte_is_found_wherever_chunks_end(tmp_path_factory, before, chunk):
    path = tmp_path_factory.mktemp("a") / "a.txt"
    path.write_bytes(before.encode() + b"\xff and more")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "_CHUNK_BYTES", chunk)
        assert f":{1 + before.count(chr(10))}: byte {len(before.encode())} (0xff)" in error_of(path)
