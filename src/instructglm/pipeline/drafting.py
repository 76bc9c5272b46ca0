"""Drafts of outputs by a model, to be rated or edited: so round two corrects the model of round one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from instructglm.annotation.collecting.drafts import (
    DraftedItem,
    Drafts,
    Recipe,
    Undrafted,
    add_drafts,
    drafted,
    read_undrafted,
    undrafted,
)
from instructglm.annotation.store.store import Store
from instructglm.core.errors import InstructGLMError
from instructglm.core.progress import Bar, Progress
from instructglm.core.records import Record
from instructglm.core.seeds import derived_seed
from instructglm.pipeline.speakers import Sampling, Speaker

_MOST_PENDING, _MOST_PENDING_S = 16, 10.0  # instructions, or seconds of work, that are stored together
_DRAWS = 3  # times that what is missing of k distinct outputs is drawn
_READ_AT_ONCE = 100  # prompts in memory


class Drafted(Record):
    """What one run of `draft` did. `left_out` counts instructions by the reason."""

    model: str
    num_instructions: int
    num_outputs: int
    num_short: int
    """Instructions that got fewer than k outputs."""
    num_cut: int
    num_repeated: int
    num_blank: int
    left_out: dict[str, int]


def draft(
    store: Store,
    project: int,
    speaker: Speaker,
    recipe: Recipe,
    progress: Progress,
    *,
    only_empty: bool = True,
    limit: int | None = None,
) -> Drafted:
    """Draw k distinct outputs for every instruction that this recipe was not applied to yet, and store them.

    The drafts of an instruction depend on the recipe and on the instruction
    alone: not on its place, nor on what was interrupted. They are stored every
    ten seconds, or sixteen instructions, together, and when it is interrupted.

    Raises:
        DataError: there is no such project.
        StorageError: the database refuses; what was stored before stays.
    """
    before = len(drafted(store, project, recipe))
    if before:
        progress.say(f"{before} instructions were drafted before: skipped")
    wanted = undrafted(store, project, recipe, only_empty=only_empty)[:limit]
    done: list[DraftedItem] = []
    with progress.stage("drafts", total=len(wanted), unit="instruction") as bar:
        pending = _Pending(store, project, recipe, done)
        try:
            for one in _prompts(store, wanted):
                pending.add(_drafts(speaker, one, recipe, bar))
        finally:
            pending.store()
    return _summary(recipe, done)


class _Pending:
    """Drafts that are not stored yet."""

    def __init__(self, store: Store, project: int, recipe: Recipe, done: list[DraftedItem]) -> None:
        self._store, self._project, self._recipe, self._done = store, project, recipe, done
        self._waiting: list[Drafts] = []
        self._since_s = time.monotonic()

    def add(self, one: Drafts) -> None:
        self._waiting.append(one)
        if len(self._waiting) >= _MOST_PENDING or time.monotonic() - self._since_s >= _MOST_PENDING_S:
            self.store()

    def store(self) -> None:
        waiting, self._waiting, self._since_s = self._waiting, [], time.monotonic()
        self._done += add_drafts(self._store, self._project, self._recipe, waiting)


def _prompts(store: Store, instructions: Sequence[int]) -> Iterator[Undrafted]:
    for start in range(0, len(instructions), _READ_AT_ONCE):
        yield from read_undrafted(store, instructions[start : start + _READ_AT_ONCE])


def _drafts(speaker: Speaker, one: Undrafted, recipe: Recipe, bar: Bar) -> Drafts:
    """What the model makes of one instruction; one that it cannot read is left out."""
    try:
        context = speaker.context(one.messages)
    except InstructGLMError as error:  # a conversation for which the template has no place
        bar.advance()
        return Drafts(instruction=one.instruction, left_out=error.faults[0])
    if not speaker.has_room(context, recipe.max_new_tokens):
        bar.advance()
        return Drafts(instruction=one.instruction, left_out="the prompt leaves no room for an answer")
    return _drawn(speaker, one, context, recipe, bar)


def _drawn(speaker: Speaker, one: Undrafted, context: Sequence[int], recipe: Recipe, bar: Bar) -> Drafts:
    started = time.perf_counter()
    sampling = Sampling(recipe.temperature, recipe.top_p, recipe.max_new_tokens)
    texts: dict[str, None] = {}
    num_cut = num_repeated = num_blank = num_tokens = 0
    for number in range(_DRAWS):
        seed = derived_seed(recipe.seed, "draft", one.key, number)
        for written in speaker.write(context, recipe.k - len(texts), seed, sampling):
            num_tokens += written.num_tokens
            num_cut += written.is_cut
            num_blank += not written.text
            num_repeated += written.text in texts
            texts |= {written.text: None} if written.text else {}
        if len(texts) == recipe.k:
            break
    bar.advance(tokens_per_s=num_tokens / max(time.perf_counter() - started, 1e-9))
    counts = {"num_cut": num_cut, "num_repeated": num_repeated, "num_blank": num_blank}
    return Drafts(instruction=one.instruction, texts=tuple(texts), **counts)


def _summary(recipe: Recipe, done: Iterable[DraftedItem]) -> Drafted:
    items = list(done)
    left_out: dict[str, int] = {}
    for item in items:
        if item.left_out:
            left_out[item.left_out] = left_out.get(item.left_out, 0) + 1
    return Drafted(
        model=recipe.model,
        num_instructions=len(items),
        num_outputs=sum(item.num_stored for item in items),
        num_short=sum(item.num_stored < recipe.k for item in items),
        num_cut=sum(item.num_cut for item in items),
        num_repeated=sum(item.num_repeated for item in items),
        num_blank=sum(item.num_blank for item in items),
        left_out=left_out,
    )
