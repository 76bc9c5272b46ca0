"""In which encoding a text file is; a file that is neither UTF-8 nor UTF-16 is refused with the way to convert it."""

from __future__ import annotations

import codecs
import shlex
from pathlib import Path

from instructglm.core.errors import DataError
from instructglm.data.records import shorten

_CHUNK_BYTES = 2**20
_SAMPLE_BYTES = 2**12
_PROOF_OF_UTF8 = 8  # non-ASCII characters read well before the bad byte: no other encoding gets so far by chance

# byte order mark -> (codec that checks the bytes, codec that reads without the mark)
_MARKS = {
    codecs.BOM_UTF8: ("utf-8", "utf-8-sig"),
    codecs.BOM_UTF16_LE: ("utf-16-le", "utf-16"),
    codecs.BOM_UTF16_BE: ("utf-16-be", "utf-16"),
}


def text_encoding(path: Path, shown: str) -> str:
    """The codec that reads this file, after every byte of it has been checked.

    Raises:
        DataError: a byte does not fit; names its line and offset (from 0), what the
            file looks like, and the command that converts it.
    """
    with path.open("rb") as file:
        head = file.read(4)
    checker, reader = next((codec for mark, codec in _MARKS.items() if head.startswith(mark)), ("utf-8", "utf-8"))
    _check_bytes(path, shown, checker)
    return reader


def _check_bytes(path: Path, shown: str, codec: str) -> None:
    decoder = codecs.getincrementaldecoder(codec)()
    num_bytes = num_lines = num_wide = 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK_BYTES)
            waiting = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                good = error.object[: error.start].decode(codec)
                line = 1 + num_lines + good.count("\n")
                proven = num_wide + _num_wide(good) >= _PROOF_OF_UTF8
                raise _bad_byte(path, shown, line, num_bytes - waiting + error.start, codec, proven) from error
            if not chunk:
                return
            num_bytes += len(chunk)
            num_lines += text.count("\n")
            num_wide += _num_wide(text)


def _num_wide(text: str) -> int:
    return 0 if text.isascii() else len(text) - len(text.encode("ascii", "ignore"))


def _bad_byte(path: Path, shown: str, line: int, offset: int, codec: str, proven: bool) -> DataError:
    sample = _sample(path, offset)
    place = f"{shown}:{line}: byte {offset} (0x{sample[0]:02x}) is not {codec.upper()}"
    if codec != "utf-8" or proven:
        hint = "The file is damaged there: mend that line, or copy it anew."
        return DataError(f"{place}, though all before it is", hint=hint)
    guess = guess_encoding(_line_start(path, offset))
    if guess is None:
        return DataError(
            f"{place}; it looks like no text encoding we know",
            hint="Is it a text file? If you know its encoding: iconv -f ENCODING -t UTF-8 OLD > NEW",
        )
    name, text = guess
    source, target = Path(shown), Path(shown).with_suffix(f".utf8{Path(shown).suffix}")
    command = f"iconv -f {name} -t UTF-8 {shlex.quote(str(source))} > {shlex.quote(str(target))}"
    called = "GBK" if name == "GB18030" else name
    return DataError(f'{place}; the file reads as {called}: "{shorten(text, 40)}"', hint=f"Convert it: {command}")


def _sample(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(_SAMPLE_BYTES)


def _line_start(path: Path, offset: int) -> bytes:
    """Bytes from the start of the bad byte's line, so that no character is cut at the front."""
    before = max(0, offset - _SAMPLE_BYTES)
    start = _sample(path, before)[: offset - before].rfind(b"\n") + 1
    return _sample(path, before + start)


def guess_encoding(sample: bytes) -> tuple[str, str] | None:
    """The likeliest encoding of bytes that are not UTF-8, with the bytes as text; None if nothing fits.

    A guess for a message, not for reading: Chinese encodings are tried first.

    >>> guess_encoding("你好，世界".encode("gbk"))
    ('GB18030', '你好，世界')
    """
    for name in ("UTF-16LE", "UTF-16BE", "GB18030", "BIG5", "SHIFT_JIS", "WINDOWS-1252"):
        codec = {"WINDOWS-1252": "cp1252"}.get(name, name.lower())
        try:
            text = codecs.getincrementaldecoder(codec)().decode(sample)
        except UnicodeDecodeError:
            continue
        if _plausible(name, text, sample):
            return name, text
    return None


def _plausible(name: str, text: str, sample: bytes) -> bool:
    wide = [character for character in text if ord(character) > 127]
    if name.startswith("UTF-16"):
        return sample.count(0) * 4 > len(sample) and len(wide) * 2 < len(text)
    if "\0" in text or not wide:
        return False
    if name == "WINDOWS-1252":
        return len(wide) * 3 < len(text)
    if name == "SHIFT_JIS":
        return sum("\u3040" <= character <= "\u30ff" for character in wide) * 4 > len(wide)
    common = {"GB18030": "gb2312", "BIG5": "big5"}[name]
    return sum(_is_common(character, common) for character in wide) * 10 >= 7 * len(wide)


def _is_common(character: str, codec: str) -> bool:
    """Whether it is a character of the older, smaller set that most running text keeps to."""
    code = character.encode(codec, "ignore")
    limits = {"gb2312": (0xA1, 0xD7), "big5": (0xA1, 0xC6)}[codec]
    return len(code) == 2 and limits[0] <= code[0] <= limits[1]
