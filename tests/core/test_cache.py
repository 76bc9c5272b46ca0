from pathlib import Path

import pytest

from instructglm.core.cache import cache_folder


@pytest.mark.parametrize(
    ("own", "shared", "expected"),
    [
        ("/own", "/xdg", "/own"),
        ("", "/xdg", "/xdg/instructglm"),
        ("", "", "~/.cache/instructglm"),
        ("", "relative", "~/.cache/instructglm"),
        ("~/mine", "", "~/mine"),
    ],
)
def test_the_first_that_is_set_wins(monkeypatch, own, shared, expected):
    monkeypatch.setenv("INSTRUCTGLM_CACHE", own)
    monkeypatch.setenv("XDG_CACHE_HOME", shared)
    assert cache_folder() == Path(expected).expanduser()


def test_it_is_absolute_and_not_made_by_asking(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INSTRUCTGLM_CACHE", "here")
    assert cache_folder() == tmp_path / "here"
    assert not (tmp_path / "here").exists()
