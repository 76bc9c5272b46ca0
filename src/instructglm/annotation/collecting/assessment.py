"""All that is known of a collection, in one call."""

from __future__ import annotations

import numpy as np

from instructglm.annotation.collecting.complexity import ComplexityOf, complexity_by_name
from instructglm.annotation.collecting.coverage import Coverage, coverage
from instructglm.annotation.collecting.diversity import Diversity, Embed, diversity
from instructglm.annotation.collecting.findings import Finding, what_to_collect_next
from instructglm.annotation.collecting.index import InstructionIndex
from instructglm.annotation.collecting.near_duplicates import NEAR
from instructglm.annotation.collecting.prompts import prompt_text
from instructglm.annotation.store.reading import instructions
from instructglm.annotation.store.store import Store
from instructglm.core.records import Record


class Cluster(Record):
    """Instructions that are alike, by id; `text` is the first one's."""

    instructions: tuple[int, ...]
    text: str


class Assessment(Record):
    """A collection as it stands, and what to collect next."""

    coverage: Coverage
    diversity: tuple[Diversity, ...]
    complexity: tuple[ComplexityOf, ...]
    clusters: tuple[Cluster, ...]
    findings: tuple[Finding, ...]


def assess(
    store: Store,
    project: int,
    rng: np.random.Generator,
    *,
    embed: Embed | None = None,
    at_least: float = NEAR,
    index: InstructionIndex | None = None,
) -> Assessment:
    """Measure a project's instructions.

    Args:
        store: where.
        project: whose.
        rng: draws the samples of which diversity is measured.
        embed: measures diversity by meaning too.
        at_least: the share of common trigrams from which instructions are near-duplicates.
        index: of this project, if there is one already.

    Raises:
        DataError: there is no such project.
    """
    counted = coverage(store, project)
    found = {one.id: (prompt_text(one.messages), one.complexity) for one in instructions(store, project)}
    texts, names = [text for text, _ in found.values()], [name for _, name in found.values()]
    groups = (index or InstructionIndex(store, project)).clusters(at_least)
    return Assessment(
        coverage=counted,
        diversity=diversity(texts, rng, embed),
        complexity=complexity_by_name(texts, names),
        clusters=tuple(Cluster(instructions=group, text=found[group[0]][0]) for group in groups if group[0] in found),
        findings=what_to_collect_next(counted, groups),
    )
