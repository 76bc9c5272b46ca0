"""A table of left-out tests that cannot go stale."""

from __future__ import annotations

import unittest

import pytest

from .held import held_to

WHY, ELSEWHERE = "not for us", "needs what is not here"


def ran(test: str, left_out: dict[str, str]) -> None:
    class Suite(unittest.TestCase):
        def test_passes(self) -> None:
            pass

        def test_fails(self) -> None:
            raise ValueError("broken")

        def test_fails_in_a_part(self) -> None:
            with self.subTest("a part"):
                raise ValueError("broken")

        def test_skips_itself(self) -> None:
            self.skipTest("no such part")

        def test_skips_a_part(self) -> None:
            with self.subTest("a part"):
                self.skipTest("no such part")

        @unittest.skip("no such machine")
        def test_is_skipped(self) -> None:
            raise ValueError("broken")

    getattr(held_to(left_out, frozenset({ELSEWHERE}))(Suite)(test), test)()


def test_a_test_that_is_not_in_the_table_has_to_pass() -> None:
    ran("test_passes", {})
    for test in ("test_fails", "test_fails_in_a_part"):
        with pytest.raises(ValueError, match="broken"):
            ran(test, {})


@pytest.mark.parametrize("test", ["test_skips_itself", "test_skips_a_part", "test_is_skipped"])
def test_a_test_that_skips_has_to_be_in_the_table(test: str) -> None:
    with pytest.raises(AssertionError, match=f"{test} skips itself and is not in the table: no such"):
        ran(test, {})
    with pytest.raises(unittest.SkipTest, match=f"{WHY}.*no such"):
        ran(test, {test: WHY})


@pytest.mark.parametrize("test", ["test_fails", "test_fails_in_a_part"])
def test_a_test_in_the_table_may_fail(test: str) -> None:
    with pytest.raises(pytest.xfail.Exception, match=WHY):
        ran(test, {test: WHY})


def test_a_test_in_the_table_may_not_pass_unless_for_what_is_missing_here() -> None:
    with pytest.raises(AssertionError, match="take it out of the table"):
        ran("test_passes", {"test_passes": WHY})
    ran("test_passes", {"test_passes": ELSEWHERE})
