"""Every word in both languages, and none that is not there."""

from __future__ import annotations

import re
import string
from importlib import resources

import pytest

from instructglm.studio.words import LANGUAGES, read_words

WORDS = read_words()


@pytest.mark.parametrize("key", sorted(WORDS))
def test_a_word_is_in_all_languages_with_the_same_figures(key):
    pair = WORDS[key]
    assert set(pair) == set(LANGUAGES)
    assert all(isinstance(text, str) and text.strip() for text in pair.values())
    figures = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in pair.values()]
    assert figures[0] == figures[1]


def test_every_word_that_a_page_uses_is_there():
    used = set()
    for file in (resources.files("instructglm.studio") / "pages").iterdir():
        if file.name.endswith(".html"):
            used |= set(re.findall(r"""\bt\(\s*["']([\w.-]+)["']\s*[,)]""", file.read_text(encoding="utf-8")))
    assert used
    assert used <= set(WORDS)


def test_the_browser_chooses_a_language_and_the_reader_another(pages):
    assert "Sign in" in pages.get("/sign-in").text
    assert "登录" in pages.get("/sign-in", headers={"Accept-Language": "zh-CN,zh;q=0.9"}).text
    assert "登录" in pages.get("/sign-in?lang=zh").text
    assert "登录" in pages.get("/sign-in").text
    assert "Sign in" in pages.get("/sign-in?lang=xx", headers={"Cookie": "instructglm_language=fr"}).text
