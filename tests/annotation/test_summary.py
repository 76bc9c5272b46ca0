import numpy as np
import pytest

from instructglm.annotation.agreement import krippendorff_alpha
from instructglm.annotation.summary import RatedItem, summarise
from instructglm.report.contents import AgreementSummary

ITEMS = [
    RatedItem(row="a.txt:1", text="fine", ratings=(1, 1, 2), outcome="positive"),
    RatedItem(row="a.txt:2", text="odd", ratings=(-4, 4), outcome="raters_split"),
    RatedItem(row="a.txt:3", text="flat", ratings=(0, 0, 0, 0), outcome="raters_split"),
    RatedItem(row="a.txt:4", text="lone", ratings=(-2.5,), outcome="negative"),
]


def rng():
    return np.random.default_rng(3)


def test_counts_alpha_and_split_items():
    found = summarise("mood", ITEMS, rng())
    agreement = krippendorff_alpha([item.ratings for item in ITEMS], "interval", rng())
    assert (found.num_items, found.num_ratings) == (4, 10)
    assert (found.num_annotators_min, found.num_annotators_max) == (1, 4)
    assert (found.alpha, found.alpha_low, found.alpha_high) == (agreement.alpha, agreement.low, agreement.high)
    assert list(found.rating_histogram.items()) == [("-4", 1), ("-2.5", 1), ("0", 4), ("1", 2), ("2", 1), ("4", 1)]
    assert [item.row for item in found.split_items] == ["a.txt:2", "a.txt:1"]


def test_the_report_takes_it_as_it_is():
    found = summarise("mood", ITEMS, rng(), level="ordinal", num_split_items=1)
    assert AgreementSummary(**found.model_dump()).model_dump() == found.model_dump()


def test_unanimous_raters_get_a_note_in_place_of_a_coefficient():
    found = summarise("mood", [ITEMS[2]], rng())
    assert found.alpha is None
    assert "one value used" in found.note


def test_there_must_be_an_item():
    with pytest.raises(ValueError, match="mood: no rated item"):
        summarise("mood", [], rng())
