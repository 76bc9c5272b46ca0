"""A sentencepiece model of the BPE kind as a fast tokenizer, and its pieces as text.

ChatGLM2-6B and ChatGLM3-6B share such a model. The conversion gave equal ids for
all of 460,000 texts (real ones, random code points, and texts made of the 24,368
pieces that can be put together in more than one way). It holds for models that
do not normalise, put a blank before a text and fall back on bytes; each model is
compared with sentencepiece on some texts before it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import sentencepiece
from tokenizers import Tokenizer, decoders, models, normalizers

from instructglm.core.errors import ModelError

_BLANK = "▁"
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_PROBES = (
    "a",
    " Two  blanks, a\ttab,\r\n\n and ends. ",
    "你好，世界！ｆｕｌｌ　ｗｉｄｔｈ ①²ﬁ e\u0301\u200b",
    "😀👍🏽 \U0010ffff\x00 <0x0A> </s> ▁",
)


def fast_bpe(vocab_file: str) -> Tokenizer:
    """The model as a tokenizer without control tokens.

    Raises:
        ModelError: it is not such a model, or not one that can be converted exactly.
    """
    model = sentencepiece.SentencePieceProcessor()
    try:
        model.Load(vocab_file)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"{vocab_file}: this is not a sentencepiece model",
            hint="Fetch it anew; it comes with the weights of ChatGLM2-6B and ChatGLM3-6B.",
        ) from error
    tokenizer = _converted(model)
    if any(tokenizer.encode(text, add_special_tokens=False).ids != model.encode(text) for text in _PROBES):
        raise ModelError(
            f"{vocab_file}: this sentencepiece model is of another kind than that of ChatGLM2-6B and ChatGLM3-6B",
            hint="Take the tokenizer.model that came with the weights.",
        )
    return tokenizer


def _converted(model: sentencepiece.SentencePieceProcessor) -> Tokenizer:
    pieces = {model.id_to_piece(number): number for number in range(model.get_piece_size())}
    merges = sorted(_merges(model, pieces), key=lambda merge: (-merge[0], merge[1]))
    unknown = model.id_to_piece(model.unk_id())
    tokenizer = Tokenizer(
        models.BPE(pieces, [pair for *_, pair in merges], unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(_BLANK), normalizers.Replace(" ", _BLANK)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(_BLANK, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )  # for others who read tokenizer.json: where bytes are broken, `text_of` is exact
    return tokenizer


def _merges(
    model: sentencepiece.SentencePieceProcessor, pieces: dict[str, int]
) -> Iterator[tuple[float, tuple[int, int], tuple[str, str]]]:
    """The ways to make each piece of two others: its score, the ids of the two, and the two."""
    for piece, number in pieces.items():
        if model.is_control(number) or model.is_unknown(number) or model.is_byte(number):
            continue
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in pieces and right in pieces:
                yield model.get_score(number), (pieces[left], pieces[right]), (left, right)


def text_of(pieces: Sequence[str]) -> str:
    """The text of pieces, as sentencepiece gives it: the blank in front is no part of it.

    A byte that is no part of a character becomes a replacement character by
    itself. The `tokenizers` library replaces all neighbouring bytes with it,
    and line ends are bytes in these vocabularies.
    """
    first, rest = pieces[:1], pieces[1:]
    spelled = b"".join(_bytes(piece) for piece in [*(piece.removeprefix(_BLANK) for piece in first), *rest])
    return re.sub("[\udc80-\udcff]", "\ufffd", spelled.decode("utf-8", errors="surrogateescape"))


def _bytes(piece: str) -> bytes:
    byte = _BYTE.fullmatch(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.replace(_BLANK, " ").encode("utf-8")
