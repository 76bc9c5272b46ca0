"""Columns are the same whether lists hold them or arrays, of Python's numbers or numpy's."""

import numpy as np
import pytest

from instructglm.annotation.aggregation import Votes
from instructglm.annotation.agreement import Judgements, agreement_of_items

ITEMS, PEOPLE = ["a", "a", "b", "b", "c", "c"], ["x", "y"] * 3
RATINGS = [1, 2, 1, 10, 2, 2]
SCALE = [1, 2, 10, 20]
AS = {"list": list, "array": np.array, "list of numpy's numbers": lambda numbers: list(np.array(numbers))}

as_each = pytest.mark.parametrize("column", AS.values(), ids=AS)


def agreement(ratings, scale, level):
    judgements = Judgements.of(ITEMS, PEOPLE, ratings, level=level, values=scale)
    assert [type(value) for value in judgements.values] == [int] * len(judgements.values)
    return agreement_of_items(judgements, np.random.default_rng(1), num_draws=10)


@as_each
@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("scale", [None, SCALE])
def test_a_scale_of_numbers_keeps_its_distances(column, level, scale):
    expected = agreement(RATINGS, scale, level)
    assert agreement(column(RATINGS), scale and column(scale), level) == expected


@as_each
def test_labels_are_python_s_own_values(column):
    votes = Votes.of(column([3, 3, 4]), column([7, 8, 7]), column([1, 2, 1]), labels=column([2, 1]))
    assert (votes.items, votes.annotators, votes.labels) == ((3, 4), (7, 8), (2, 1))
    assert {type(name) for name in (*votes.items, *votes.annotators, *votes.labels)} == {int}
