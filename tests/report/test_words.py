"""Every word the page may need is there, in both languages."""

import doctest
import string
from types import ModuleType
from typing import get_args

import pytest

from instructglm.core.ledger import Reason
from instructglm.report import account, numerals, ratings, svg, visible, words
from instructglm.report.items import CLOSED_FILTERS, OPEN_FILTERS
from instructglm.report.words import WORDS, metric_words


@pytest.mark.parametrize("module", [account, numerals, ratings, svg, visible, words])
def test_examples_in_docstrings_hold(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


def test_every_reason_and_filter_is_explained() -> None:
    assert {f"reason.{reason}" for reason in get_args(Reason)} <= set(WORDS)
    assert {f"filter.{name}" for name in ("all", *CLOSED_FILTERS, *OPEN_FILTERS)} <= set(WORDS)


@pytest.mark.parametrize("key", WORDS)
def test_both_languages_ask_for_the_same_values(key: str) -> None:
    fields = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in WORDS[key]]
    assert fields[0] == fields[1]


def test_an_unknown_metric_is_shown_by_its_name() -> None:
    assert metric_words("brier_score") == ("Brier score", "Brier score")
    assert metric_words("f1[a[b]\nc]")[0] == "F1 of a[b]\nc"
