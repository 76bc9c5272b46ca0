"""More instructions like those that are there, written by a model, as proposals.

Every reply is stored with what became of each of its pieces before the next is
asked for. So an expansion that was interrupted goes on behind its last reply,
and asks (and pays) for none of them again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection, select

from instructglm.annotation.collecting.expansions import EVENT, Account, Dropped, Expanded, Wish, so_far
from instructglm.annotation.collecting.near_duplicates import NearDuplicates
from instructglm.annotation.collecting.prompts import prompt_text, stream_texts, texts_of
from instructglm.annotation.collecting.proposals import EXPANDED_BY, key_of, known_keys
from instructglm.annotation.collecting.replies import WORDINGS, Candidate, Reply, read_reply, request
from instructglm.annotation.queue.tasks import instruction_in_use
from instructglm.annotation.store.chain import Change, record
from instructglm.annotation.store.incoming import NewInstruction
from instructglm.annotation.store.projects import read_project
from instructglm.annotation.store.store import Store, Write
from instructglm.annotation.store.tables import Instruction, Proposal
from instructglm.core.errors import DataError
from instructglm.core.lookup import lookup
from instructglm.core.progress import Progress
from instructglm.core.records import Message
from instructglm.core.seeds import derived_seed

Ask = Callable[[Sequence[Message], int], Reply]
"""A conversation and a seed to the model's reply."""

_LONGEST_EXAMPLE = 1_000  # characters: longer instructions are no examples, they would fill the prompt
_SHOWN = 500  # characters of a piece that is told in the account
_PATIENCE = 5  # replies in a row of which nothing could be kept


def expand(store: Store, project: int, wish: Wish, ask: Ask, progress: Progress) -> Expanded:
    """Ask a model for new instructions until `wish.num` of this expansion are proposals.

    It ends early, and says so, when five replies in a row brought nothing; the
    next run asks on. What a reply brings beyond `wish.num` is kept too.

    Raises:
        DataError: there is no such project, or no instruction that could be an example.
        ConfigError: the language is not one that can be asked in.
        RunError: the model does not answer; what came before is stored.
    """
    lookup("language", wish.language, WORDINGS)
    expansion, done = _Expansion(store, project, wish), so_far(store, project, wish)
    num_kept, number, in_vain = done.num_kept, done.num_replies, 0
    with progress.stage("new instructions", total=wish.num, unit="instruction", done=num_kept) as bar:
        while num_kept < wish.num and in_vain < _PATIENCE:
            number += 1
            kept = expansion.ask_once(ask, number)
            num_kept, in_vain = num_kept + kept, 0 if kept else in_vain + 1
            bar.advance(kept, replies=float(number))
    if num_kept < wish.num:
        progress.say(f"stopped: of {_PATIENCE} replies in a row nothing could be kept; the account says why")
    return so_far(store, project, wish)


class _Read(NamedTuple):
    """A reply, sorted."""

    kept: list[NewInstruction]
    dropped: list[Dropped]


class _Expansion:
    """A wish, with what its project holds already, proposals included (under negative ids)."""

    def __init__(self, store: Store, project: int, wish: Wish) -> None:
        self._store, self._project, self._wish, self._name = store, project, wish, wish.name(project)
        self._index = NearDuplicates(self._texts)
        with store.read() as connection:
            read_project(connection, project)
            self._pool = _pool(connection, project, wish)
            self._index.add(stream_texts(connection, project))
            self._index.add(_proposed(connection, project))

    def _texts(self, numbers: Sequence[int]) -> Mapping[int, str]:
        with self._store.read() as connection:
            proposed = _proposed(connection, self._project, [-number for number in numbers if number < 0])
            return texts_of(connection, [number for number in numbers if number > 0]) | dict(proposed)

    def ask_once(self, ask: Ask, number: int) -> int:
        """Ask for reply `number`, store what came, and tell how many instructions were kept."""
        examples = self._examples(number)
        reply = ask(self._request(list(examples.values())), derived_seed(self._wish.seed, "reply", self._name, number))
        read = self._sort(reply)
        with self._store.write() as write:
            read = _without_known(write.connection, self._project, read)
            ids = self._record(write, number, list(examples), reply, read)
        self._index.add((-one, _text(held)) for one, held in zip(ids, read.kept, strict=True))
        return len(read.kept)

    def _examples(self, number: int) -> dict[int, str]:
        """Drawn at random from the instructions that people wrote, anew for every reply."""
        rng = np.random.default_rng(derived_seed(self._wish.seed, "examples", self._name, number))
        size = min(self._wish.num_examples, len(self._pool))
        drawn: list[int] = rng.choice(self._pool, size, replace=False).tolist()
        with self._store.read() as connection:
            texts = texts_of(connection, drawn)
        return {one: texts[one] for one in drawn if one in texts}

    def _request(self, examples: Sequence[str]) -> tuple[Message, ...]:
        wish = self._wish
        return request(wish.language, examples, wish.num_per_reply, domain=wish.domain, complexity=wish.complexity)

    def _sort(self, reply: Reply) -> _Read:
        read = _Read([], [])
        for piece in read_reply(reply):
            if not isinstance(piece, Candidate):
                read.dropped.append(Dropped(text=piece.text[:_SHOWN], reason=piece.reason))
                continue
            held = self._held(piece)
            if (dropped := self._too_like(_text(held), read.kept)) is None:
                read.kept.append(held)
            else:
                read.dropped.append(dropped)
        return read

    def _held(self, found: Candidate) -> NewInstruction:
        wish = self._wish
        told = {"domain": wish.domain, "complexity": wish.complexity, "language": wish.language}
        return NewInstruction.model_validate({"instruction": found.instruction, "input": found.input, **told})

    def _too_like(self, text: str, kept: Sequence[NewInstruction]) -> Dropped | None:
        """What a text is a near-duplicate of, in the store or earlier in the same reply."""
        own = {number: _text(held) for number, held in enumerate(kept)}
        beside = NearDuplicates(lambda numbers: {number: own[number] for number in numbers})
        beside.add(own.items())
        at_least = self._wish.similarity
        found = [(near, own[near.id]) for near in beside.nearest(text, 1, at_least=at_least)]
        found += [(near, self._texts([near.id])[near.id]) for near in self._index.nearest(text, 1, at_least=at_least)]
        if not found:
            return None
        near, like = max(found, key=lambda one: one[0].similarity)
        similarity = round(near.similarity, 4)
        return Dropped(text=text[:_SHOWN], reason="near_duplicate", like=like[:_SHOWN], similarity=similarity)

    def _record(self, write: Write, number: int, examples: list[int], reply: Reply, read: _Read) -> list[int]:
        """Store the proposals and the account of a reply in one event, and tell the proposals' ids."""
        wish = self._wish
        account = Account(
            expansion=self._name,
            reply=number,
            model=wish.model,
            examples=tuple(examples),
            num_kept=len(read.kept),
            dropped=tuple(read.dropped),
            num_prompt_tokens=reply.num_prompt_tokens,
            num_tokens=reply.num_tokens,
        )
        change = Change(EVENT, self._project, None, account.model_dump(mode="json"))
        made = {"project": self._project, "model": wish.model, "expansion": self._name, "reply": number}
        first = write.next_id(Proposal.id)
        for place, held in enumerate(read.kept, start=first):
            told = held.model_dump(mode="json", exclude_defaults=True)
            change.add(Proposal, id=place, key=key_of(held), record=told, **made)
        record(write, change)
        return list(range(first, first + len(read.kept)))


def _without_known(connection: Connection, project: int, read: _Read) -> _Read:
    """Without what somebody else stored meanwhile, word for word."""
    known = known_keys(connection, project, [key_of(held) for held in read.kept])
    gone = [held for held in read.kept if key_of(held) in known]
    dropped = [Dropped(text=_text(held)[:_SHOWN], reason="already_there") for held in gone]
    return _Read([held for held in read.kept if held not in gone], [*read.dropped, *dropped])


def _text(held: NewInstruction) -> str:
    return prompt_text(message.model_dump() for message in held.prompt())


def _pool(connection: Connection, project: int, wish: Wish) -> list[int]:
    """The instructions that may be examples, none of them long.

    Those that people wrote, of the wished language, of the wished domain: each where there are any, else all.
    """
    columns = (Instruction.id, Instruction.source, Instruction.language, Instruction.domain, Instruction.messages)
    here = (Instruction.project == project, instruction_in_use(Instruction.id))
    rows = connection.execute(select(*columns).where(*here))
    pool = [row[:4] for row in rows if len(prompt_text(row.messages)) <= _LONGEST_EXAMPLE]
    pool = [row for row in pool if not row[1].startswith(EXPANDED_BY)] or pool
    for column, wanted in ((2, wish.language), (3, wish.domain)):
        pool = [row for row in pool if row[column] == wanted] or pool
    if not pool:
        raise DataError(
            f"the project has no instruction of at most {_LONGEST_EXAMPLE:,} characters to give as an example",
            hint="Import a few that people wrote: instructglm annotate import PROJECT FILE.jsonl",
        )
    return sorted(int(row[0]) for row in pool)


def _proposed(connection: Connection, project: int, ids: Sequence[int] | None = None) -> Iterator[tuple[int, str]]:
    """Proposals as negative ids with their texts, whatever was decided of them: of the whole project, or these."""
    query = select(Proposal.id, Proposal.record).where(Proposal.project == project).order_by(Proposal.id)
    for row in connection.execute(query if ids is None else query.where(Proposal.id.in_(ids))):
        yield -int(row.id), _text(NewInstruction.model_validate(row.record))
