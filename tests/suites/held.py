"""Hold a class of tests written by others to a table of the ones that are left out."""

from __future__ import annotations

import functools
import unittest
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import pytest

Test = Callable[..., None]


def held_to(left_out: Mapping[str, str], may_pass: frozenset[str]) -> Callable[[type], type]:
    """A class decorator: a test is either in the table `left_out` (name: reason) or passes.

    So that the table stays honest, a test that is in it and passes, and one that
    is not in it and skips itself, fail. Only tests left out for one of the
    reasons `may_pass` can pass too: on a machine that has what is missing here.
    """

    def hold(suite: type) -> type:
        for name in dir(suite):
            test = getattr(suite, name)
            if name.startswith("test_") and callable(test):
                setattr(suite, name, _held(name, test, left_out.get(name), may_pass))
        return suite

    return hold


def _held(name: str, test: Test, reason: str | None, may_pass: frozenset[str]) -> Test:
    @functools.wraps(test)
    def run(self: Any) -> None:
        self.subTest = lambda *_, **__: nullcontext()  # it would swallow the news that a part was skipped
        try:
            test(self)
        except unittest.SkipTest as skipped:
            if reason is None:
                raise AssertionError(f"{name} skips itself and is not in the table: {skipped}") from skipped
            raise unittest.SkipTest(f"{reason} (the suite says: {skipped})") from skipped
        except Exception:
            if reason is None:
                raise
            pytest.xfail(reason)
        if reason is not None and reason not in may_pass:
            raise AssertionError(f"{name} passes: take it out of the table, where it stands for {reason!r}")

    vars(run).pop("__unittest_skip__", None)  # or the runner would skip it before the table is asked
    return run
