"""How k stays exact: an item counts its places, and every move of an assignment goes through here.

The count and the assignment change in one transaction of the one writer, and
the database itself refuses a count above what is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import ScalarSelect, Update, bindparam, func, select, update

from instructglm.annotation.store.store import Write
from instructglm.annotation.store.tables import IS_KEPT, Assignment, Item, State
from instructglm.core.errors import DataError

HOLDING = (State.LEASED, State.DONE)
"""The states in which an assignment takes a place of its item."""


def take(write: Write, round: int, instruction: int) -> bool:
    """Take a place of an item; False where none is free."""
    return write.connection.execute(_take(), {"in_round": round, "item": instruction}).rowcount == 1


@cache
def _take() -> Update:
    item = (Item.round == bindparam("in_round"), Item.instruction == bindparam("item"))
    return update(Item).where(*item, Item.taken < Item.needed).values(taken=Item.taken + 1)


def free(write: Write, round: int, instruction: int) -> None:
    """Give a place back. The item goes to the end of the queue, where all who passed it meet it again."""
    item = update(Item).where(Item.round == round, Item.instruction == instruction)
    write.connection.execute(item.values(taken=Item.taken - 1, position=_end(round)))


def need_more(write: Write, round: int, instructions: Sequence[int], extra: int) -> None:
    """Let items have `extra` more annotators each.

    Raises:
        DataError: one is not in the round's queue.
    """
    for instruction in instructions:
        item = update(Item).where(Item.round == round, Item.instruction == instruction)
        found = write.connection.execute(item.values(needed=Item.needed + extra, position=_end(round)))
        if not found.rowcount:
            raise DataError(f"instruction {instruction} is not in this round", hint="Nothing was changed.")


def _end(round: int) -> ScalarSelect[int]:
    return select(func.max(Item.position) + 1).where(Item.round == round).scalar_subquery()


def move(write: Write, held: Any, state: State) -> bool:
    """Bring an assignment (its row, `held`) to another state; False where that needs a place and none is free."""
    holds, will_hold = held.state in HOLDING, state in HOLDING
    if held.state == State.RETURNED and _has_another(write, held):
        return False
    if not held.is_gold:  # everybody may meet a gold item: it has no places
        if will_hold and not holds and not take(write, held.round, held.instruction):
            return False
        if holds and not will_hold:
            free(write, held.round, held.instruction)
    write.connection.execute(_move(), {"assignment": held.id, "state": str(state)})
    return True


@cache
def _move() -> Update:
    return update(Assignment).where(Assignment.id == bindparam("assignment"))


def _has_another(write: Write, held: Any) -> bool:
    """Whether the person was given the same item anew after this assignment was returned."""
    query = select(Assignment.id).where(
        Assignment.round == held.round,
        Assignment.person == held.person,
        Assignment.instruction == held.instruction,
        IS_KEPT,
    )
    return write.connection.scalar(query) is not None
