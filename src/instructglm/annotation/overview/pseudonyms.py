"""Numbers in place of names, for those who are to judge answers and not people."""

from __future__ import annotations

from sqlalchemy import select

from instructglm.annotation.store.chain import origin_in
from instructglm.annotation.store.store import Store
from instructglm.annotation.store.tables import Person
from instructglm.core.ids import unit_interval

_FIRST, _LAST = 100, 9_999


def pseudonyms(store: Store) -> dict[int, int]:
    """A number for everybody, by their id: the same for good, and telling nothing of who came when.

    It rests on the hash of the log's first event, so that stores differ. Who can
    read the database can find out who is who.
    """
    with store.read() as connection:
        start = origin_in(connection)
        people = connection.scalars(select(Person.id).order_by(Person.id)).all()
    numbers: dict[int, int] = {}
    taken: set[int] = set()
    for person in people:
        number = _free(int(_FIRST + unit_interval("pseudonym", start, person) * (_LAST - _FIRST + 1)), taken)
        numbers[person] = number
        taken.add(number)
    return numbers


def _free(number: int, taken: set[int]) -> int:
    """The number itself, or the next that nobody before has: whoever comes later changes nobody's."""
    while number in taken:
        number += 1
    return number
