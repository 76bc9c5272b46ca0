"""From the state of a project to what becomes of each of its instructions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from instructglm.annotation.snapshot.decide import decide
from instructglm.annotation.snapshot.items import Item, Outcome, voices_of
from instructglm.annotation.snapshot.labels import Votings, aggregate_labels, questions
from instructglm.annotation.snapshot.options import Options
from instructglm.annotation.snapshot.said import Said, latest, read_said
from instructglm.annotation.snapshot.scores import RankStrengths, Ratings, rate
from instructglm.annotation.snapshot.state import State
from instructglm.annotation.store.reading import StoredInstruction, StoredOutput, instructions, outputs

_AT_ONCE = 1_000  # instructions in memory with their texts


@dataclass(frozen=True)
class Survey:
    """All that decisions rest on: numbers in memory, texts in the store."""

    state: State
    options: Options
    everything: Said
    """Round by round; `said` is everyone's latest word."""
    said: Said
    ratings: Ratings
    votings: Votings
    ids: tuple[int, ...]
    tasks: dict[int, str]
    domains: dict[int, str]


def survey(state: State, options: Options) -> Survey:
    """Read what people said, and settle what no instruction can tell by itself: labels, and how far to rely on whom.

    Raises:
        ConfigError: there is no such label model.
    """
    everything = read_said(state, with_gold=options.with_gold)
    said = latest(everything)
    tasks, domains, closed, names = {}, {}, [], dict[str, str]()
    for one in instructions(state.store, state.project, as_of=state.head.number):
        tasks[one.id] = names.setdefault(one.task or state.name, one.task or state.name)
        domains[one.id] = names.setdefault(one.domain, one.domain)
        if one.choices and (options.with_gold or one.id not in state.gold):
            closed.append((one.id, one.task, tuple(names.setdefault(choice, choice) for choice in one.choices)))
    return Survey(
        state=state,
        options=options,
        everything=everything,
        said=said,
        ratings=rate(said, state.settings.criteria),
        votings=aggregate_labels(said, questions(closed), options.label_model),
        ids=tuple(tasks),
        tasks=tasks,
        domains=domains,
    )


def outcomes(found: Survey) -> Iterator[tuple[Item, Outcome]]:
    """Every instruction that is in use, in the order of their coming, and what becomes of it."""
    ranks = RankStrengths()
    for start in range(0, len(found.ids), _AT_ONCE):
        block = found.ids[start : start + _AT_ONCE]
        for instruction, its_outputs in _read(found.state, (block[0], block[-1])):
            item = _item(found, instruction, its_outputs, ranks)
            yield item, decide(item, found.votings.labels, found.options)


def _read(state: State, between: tuple[int, int]) -> Iterator[tuple[StoredInstruction, tuple[StoredOutput, ...]]]:
    where = {"as_of": state.head.number, "between": between}
    found = sorted(outputs(state.store, state.project, **where), key=attrgetter("instruction", "id"))  # type: ignore[arg-type]
    of = {number: tuple(members) for number, members in groupby(found, key=attrgetter("instruction"))}
    for one in instructions(state.store, state.project, **where):  # type: ignore[arg-type]
        yield one, of.get(one.id, ())


def _item(
    found: Survey, instruction: StoredInstruction, its_outputs: tuple[StoredOutput, ...], ranks: RankStrengths
) -> Item:
    state, voices = found.state, voices_of(found.said.of(instruction.id))
    by_output, quality = found.ratings.by_output, found.ratings.quality
    return Item(
        instruction=instruction,
        outputs=its_outputs,
        voices=voices,
        verdict=state.verdicts.get(instruction.id),
        is_gold=instruction.id in state.gold,
        known_label=state.gold.get(instruction.id),
        ratings={one.id: by_output[one.id] for one in its_outputs if one.id in by_output},
        quality={one.id: quality[one.id] for one in its_outputs if one.id in quality},
        strengths=ranks.of(voices.rankings),
    )
