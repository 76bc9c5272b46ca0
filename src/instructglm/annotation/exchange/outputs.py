"""Which outputs of a file are in the store already, and the rows of those that are not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any

from sqlalchemy import select

from instructglm.annotation.exchange.entries import Entry, GivenOutput
from instructglm.annotation.exchange.people import People
from instructglm.annotation.store.chain import Change
from instructglm.annotation.store.store import Write
from instructglm.annotation.store.tables import Origin, Output

_AT_ONCE = 500  # ids a query
_Identity = tuple[str, str | None, str, int | None]


class Outputs:
    """The outputs of some instructions; what an import brings to them is added to `change`.

    Two outputs are the same where text, origin, model and author are; of several
    such, the first of a record is the first in the store, and so on.
    """

    def __init__(self, write: Write, change: Change, people: People, instructions: Sequence[int]) -> None:
        self.new: list[dict[str, Any]] = []
        """The rows that were added; `round` holds the file's number for it."""
        self._change, self._people = change, people
        self._pools: dict[int, dict[_Identity, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._texts: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for row in _stored(write, instructions):
            self._put(row)
        self._ids = count(write.next_id(Output.id))

    def ids(self, instruction: int, entry: Entry) -> list[int]:
        """The ids of an entry's outputs, in its order; what is not there is added."""
        seen: Counter[Any] = Counter()
        ids: list[int] = []
        for output in entry.outputs:
            ids.append(self._known(instruction, output, seen) or self._add(instruction, output, ids))
        return ids

    def _known(self, instruction: int, output: GivenOutput, seen: Counter[Any]) -> int | None:
        if output.origin is None:
            found = self._texts[instruction][output.text]
        else:
            authors: set[int | None] = {None} if output.person is None else {*self._people.known(output.person)}
            pool = self._pools[instruction]
            found = sorted(one for author in authors for one in pool[output.text, output.origin, output.model, author])
        key = (output.text, output.origin, output.model, output.person)
        seen[key] += 1
        return found[seen[key] - 1] if seen[key] <= len(found) else None

    def _add(self, instruction: int, output: GivenOutput, before: Sequence[int]) -> int:
        number = next(self._ids)
        row: dict[str, Any] = {
            "id": number,
            "instruction": instruction,
            "text": output.text,
            "origin": str(output.origin or (Origin.MODEL if output.model else Origin.IMPORTED)),
            "model": output.model,
            "person": None if output.person is None else self._people.id_of(output.person),
            "round": output.round,
            "edited_from": None if output.edited_from is None else before[output.edited_from],
        }
        self._change.add(Output, **row)
        self.new.append(self._change.rows[Output][-1])
        self._put(row)
        return number

    def _put(self, row: dict[str, Any]) -> None:
        identity = (row["text"], str(row["origin"]), row["model"], row.get("person"))
        self._pools[row["instruction"]][identity].append(row["id"])
        self._texts[row["instruction"]][row["text"]].append(row["id"])


def _stored(write: Write, instructions: Sequence[int]) -> Iterator[dict[str, Any]]:
    columns = (Output.id, Output.instruction, Output.text, Output.origin, Output.model, Output.person)
    for ids in _parts(instructions):
        query = select(*columns).where(Output.instruction.in_(ids)).order_by(Output.id)
        yield from (dict(row) for row in write.connection.execute(query).mappings())


def _parts(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
