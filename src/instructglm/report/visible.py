"""Text of unknown origin, shown as what it is."""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, apart from tab and line feed
    "\u200b\u200e\u200f\u202a-\u202e"  # zero-width space, marks and overrides of direction
    "\u2028\u2029\u2060\u2066-\u2069\ufeff]"
)
_NEVER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> Markup:
    r"""Escape a text and put a small sign in place of each character that would hide or turn what follows.

    >>> visible("<b>\u202e")
    Markup('&lt;b&gt;<span class="unseen" title="RIGHT-TO-LEFT OVERRIDE">U+202E</span>')
    """
    return Markup(_UNSEEN.sub(_sign, str(escape(text))))


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    name = unicodedata.name(found[0], "control character")
    return f'<span class="unseen" title="{name}">U+{code:04X}</span>'


def inert(page: str) -> str:
    """Write `://` with character references, and what may not stand at all as a replacement sign.

    Addresses in the data are text: mail programs, link checkers and previews
    look for bare ones and would offer or fetch them. Where `visible` cannot put
    its sign (attributes, the title), control characters would be no HTML, and
    an override of direction would turn what follows.
    """
    return _NEVER.sub("\ufffd", page).replace("://", ":&#47;&#47;")
