"""Drafts in the store: whole batches, nothing twice, in the log like everything else; on both databases."""

from __future__ import annotations

import pytest

from instructglm.annotation.collecting.drafts import Drafts, Recipe, add_drafts, drafted, read_undrafted, undrafted
from instructglm.annotation.store import Store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.reading import outputs
from instructglm.annotation.store.verify import verify
from instructglm.annotation.store.withdrawing import withdraw_instructions, withdraw_outputs
from instructglm.core.errors import DataError

RECIPE = Recipe(model="law-0123@4567", k=2)


@pytest.fixture
def project(store: Store) -> int:
    number = create_project(store, "law")
    records = [{"instruction": "a"}, {"instruction": "b", "output": "B"}, {"instruction": "c"}]
    import_records(store, number, [(str(place), record) for place, record in enumerate(records)])
    return number


def test_drafts_are_outputs_of_the_model_that_wrote_them(store: Store, project: int) -> None:
    add_drafts(store, project, RECIPE, [Drafts(instruction=1, texts=("A", "a\0"), num_cut=1), Drafts(instruction=3)])
    found = [(one.instruction, one.text, one.origin, one.model) for one in outputs(store, project)]
    assert found[1:] == [(1, "A", "model", "law-0123@4567"), (1, "a\0", "model", "law-0123@4567")]
    first, second = drafted(store, project, RECIPE)
    assert (first.instruction, first.num_stored, first.num_known, first.num_cut) == (1, 2, 0, 1)
    assert (second.instruction, second.num_stored) == (3, 0)
    assert verify(store).broken is None


def test_what_was_drafted_is_not_drafted_again_even_if_nothing_came_of_it(store: Store, project: int) -> None:
    assert undrafted(store, project, RECIPE) == [1, 3]
    assert undrafted(store, project, RECIPE, only_empty=False) == [1, 2, 3]
    add_drafts(store, project, RECIPE, [Drafts(instruction=3, num_blank=6)])
    assert undrafted(store, project, RECIPE) == [1]
    other = RECIPE.model_copy(update={"seed": 1})
    assert undrafted(store, project, other) == [1, 3]
    withdraw_instructions(store, project, [1], "no")
    withdraw_outputs(store, project, [1], "no")
    assert undrafted(store, project, other) == [2, 3]


def test_no_output_is_stored_twice_nor_one_that_was_withdrawn(store: Store, project: int) -> None:
    withdraw_outputs(store, project, [1], "wrong")
    (item,) = add_drafts(store, project, RECIPE, [Drafts(instruction=2, texts=("B", "C"))])
    assert (item.num_stored, item.num_known) == (1, 1)
    (again,) = add_drafts(store, project, RECIPE, [Drafts(instruction=2, texts=("B", "C"))])
    assert (again.num_stored, again.num_known) == (0, 2)
    assert [one.text for one in outputs(store, project)] == ["C"]


def test_nothing_is_stored_of_an_instruction_that_was_withdrawn_meanwhile(store: Store, project: int) -> None:
    withdraw_instructions(store, project, [1], "no")
    first, second = add_drafts(store, project, RECIPE, [Drafts(instruction=n, texts=("x",)) for n in (1, 3)])
    assert (first.num_stored, second.num_stored) == (0, 1)


def test_a_batch_is_stored_whole_or_not_at_all(store: Store, project: int) -> None:
    before = verify(store)
    bad = Drafts(instruction=3, texts=("y", "half \ud800"))
    with pytest.raises(DataError, match="half a character"):
        add_drafts(store, project, RECIPE, [Drafts(instruction=1, texts=("x",)), bad])
    assert verify(store) == before
    assert add_drafts(store, project, RECIPE, []) == ()
    assert verify(store) == before


def test_prompts_come_in_the_order_asked_for(store: Store, project: int) -> None:
    assert [one.messages[0].content for one in read_undrafted(store, [3, 1])] == ["c", "a"]
    with pytest.raises(DataError, match="there is no project 9"):
        undrafted(store, 9, RECIPE)
