"""What people are called on a reviewer's pages: admins see names, others numbers in their place."""

from __future__ import annotations

from collections.abc import Mapping

from instructglm.annotation.overview import pseudonyms
from instructglm.annotation.store import Store
from instructglm.annotation.store.people import list_people
from instructglm.annotation.store.tables import Role
from instructglm.studio.guard import Visitor
from instructglm.studio.words import Words


class Callings:
    """`callings(person)` by id, as a number or as text."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names

    def __call__(self, person: int | str) -> str:
        return self._names.get(int(person), str(person))


def callings(store: Store, me: Visitor, t: Words) -> Callings:
    """What this reader sees. The number is there for admins too, so that the two can talk of the same person."""
    names = {person.id: person.name for person in list_people(store)}
    numbers = pseudonyms(store)
    if me.may(Role.ADMIN):
        return Callings({one: t("person.named", name=names[one], number=numbers[one]) for one in names})
    told = {one: t("person.numbered", number=numbers[one]) for one in names}
    told[me.person.id] = t("person.me", number=numbers[me.person.id])
    return Callings(told)
