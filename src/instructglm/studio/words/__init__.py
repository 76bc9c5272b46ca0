"""The interface's own words in English and Chinese; what people write is never translated.

Each page has a file of its own here: `key: {en: ..., zh: ...}`, with `{name}` for what is filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

import yaml
from starlette.requests import Request

LANGUAGES = ("en", "zh")
LANGUAGE_COOKIE = "instructglm_language"


class Words:
    """The words of one language: `words("queue.left", n=3)`."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __call__(self, key: str, /, **figures: object) -> str:
        return self._texts[key].format(**figures) if figures else self._texts[key]

    def has(self, key: str) -> bool:
        return key in self._texts

    def under(self, prefix: str) -> dict[str, str]:
        """All whose key begins so, by the rest of their key: what a script gets to say."""
        return {key.removeprefix(prefix): text for key, text in self._texts.items() if key.startswith(prefix)}


@cache
def words_in(language: str) -> Words:
    """The words of a language.

    Raises:
        KeyError: there is no such language, or a key lacks it.
    """
    return Words({key: pair[language] for key, pair in read_words().items()})


@cache
def read_words() -> dict[str, dict[str, str]]:
    """All words in all languages, by key."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted(resources.files(__package__).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            held = yaml.safe_load(file.read_text(encoding="utf-8"))
            assert not found.keys() & held.keys(), f"{file.name} says again what another file says"
            found |= held
    return found


def chosen_language(request: Request) -> str | None:
    """The language that this very request asks for (`?lang=zh`)."""
    asked = request.query_params.get("lang")
    return asked if asked in LANGUAGES else None


def language_of(request: Request) -> str:
    """The reader's language: as chosen, else as the browser wishes, else English."""
    chosen = chosen_language(request) or request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    for wish in request.headers.get("accept-language", "").split(","):
        if (wished := wish.strip()[:2].lower()) in LANGUAGES:
            return wished
    return LANGUAGES[0]
