"""Texts as they are compared: width, case and blanks do not count, and Chinese has words without blanks."""

from __future__ import annotations

import re
import unicodedata

_CJK = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+(?:['’][^\W_{_CJK}]+)*")
_SYMBOL = re.compile(r"\S")


def comparable(text: str) -> str:
    """NFKC, case folded, blanks run together; for comparing only, never for showing."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def tokenize(text: str) -> list[str]:
    """Characters of Chinese, Japanese and Korean, words of the rest, no punctuation.

    A text of nothing but symbols is its symbols, so that an emoji can be right.

    >>> tokenize("用PyTorch训练, isn't it")
    ['用', 'pytorch', '训', '练', "isn't", 'it']
    """
    text = comparable(text)
    return _TOKEN.findall(text) or _SYMBOL.findall(text)
