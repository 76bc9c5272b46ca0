"""What to collect next, as data: what is missing, where, and the counts; `text` is one way to say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from instructglm.annotation.collecting.coverage import Cell, Coverage
from instructglm.core.records import Record

Kind = Literal["short_of_target", "empty_cell", "rare_domain", "untold", "alike", "without_output", "unannotated"]

_SENTENCES: Mapping[Kind, str] = {
    "short_of_target": "{where}{num_instructions} of {wanted} instructions: collect {num_missing} more",
    "empty_cell": "{where}no instruction, beside {num_of_domain} of this domain and {num_of_complexity} so complex",
    "rare_domain": "{where}{num_instructions} instructions, where half of the domains have {median} or more",
    "untold": "{num_instructions} instructions do not say their {field}: they count for no target of one",
    "alike": (
        "{num_instructions} instructions are near-duplicates, in {num_clusters} groups: reword or withdraw all but "
        "{num_clusters}"
    ),
    "without_output": "{where}{num_instructions} instructions have no output: write some, or let a model draft them",
    "unannotated": "{where}{num_instructions} instructions wait for annotators",
}
_RARE = 0.2  # of the median domain


class Finding(Record):
    """One thing worth collecting or doing. Empty names: the whole project, or any."""

    kind: Kind
    domain: str = ""
    complexity: str = ""
    language: str = ""
    figures: dict[str, int | float | str]

    @property
    def text(self) -> str:
        named = (("domain", self.domain), ("complexity", self.complexity), ("language", self.language))
        where = ", ".join(f"{field} {name}" for field, name in named if name)
        return _SENTENCES[self.kind].format(**{**self.figures, "where": f"{where}: " if where else ""})


def what_to_collect_next(found: Coverage, clusters: Sequence[Sequence[int]]) -> tuple[Finding, ...]:
    """What the figures of a project call for: first targets, or gaps where there is none; then what is there already.

    Args:
        found: what there is.
        clusters: instructions that are near-duplicates of each other, by group.
    """
    return (*_missing(found), *_untold(found), *_alike(clusters), *_unfinished(found.cells))


def _missing(found: Coverage) -> Iterator[Finding]:
    if found.targets:
        yield from _short_of_target(found)
    else:
        yield from _rare_domains(found)
        yield from _empty_cells(found)


def _short_of_target(found: Coverage) -> Iterator[Finding]:
    """The furthest from its target first."""
    for reached in sorted(found.targets, key=lambda one: one.num_instructions / one.target.num):
        target, counts = reached.target, {"num_instructions": reached.num_instructions, "wanted": reached.target.num}
        if reached.num_missing:
            yield Finding(
                kind="short_of_target",
                domain=target.domain or "",
                complexity=target.complexity or "",
                language=target.language or "",
                figures={**counts, "num_missing": reached.num_missing},
            )


def _by(cells: Sequence[Cell], field: Literal["domain", "complexity"]) -> Counter[str]:
    """Instructions by name, without those that tell none."""
    counts: Counter[str] = Counter()
    for cell in cells:
        if name := getattr(cell, field):
            counts[name] += cell.num_instructions
    return counts


def _rare_domains(found: Coverage) -> Iterator[Finding]:
    counts = _by(found.cells, "domain")
    if len(counts) < 3:
        return
    median = sorted(counts.values())[len(counts) // 2]
    for domain, number in sorted(counts.items(), key=lambda one: (one[1], one[0])):
        if number < _RARE * median:
            yield Finding(kind="rare_domain", domain=domain, figures={"num_instructions": number, "median": median})


def _empty_cells(found: Coverage) -> Iterator[Finding]:
    """What most others of its domain and of its complexity would make one expect, first."""
    domains, levels = _by(found.cells, "domain"), _by(found.cells, "complexity")
    there = {(cell.domain, cell.complexity) for cell in found.cells}
    empty = [(domain, level) for domain in domains for level in levels if (domain, level) not in there]
    for domain, level in sorted(empty, key=lambda one: (-domains[one[0]] * levels[one[1]], one)):
        figures: dict[str, int | float | str] = {
            "num_of_domain": domains[domain],
            "num_of_complexity": levels[level],
        }
        yield Finding(kind="empty_cell", domain=domain, complexity=level, figures=figures)


def _untold(found: Coverage) -> Iterator[Finding]:
    for field in ("domain", "complexity", "language"):
        number = sum(cell.num_instructions for cell in found.cells if not getattr(cell, field))
        if number:
            yield Finding(kind="untold", figures={"num_instructions": number, "field": field})


def _alike(clusters: Sequence[Sequence[int]]) -> Iterator[Finding]:
    if clusters:
        figures = {"num_instructions": sum(map(len, clusters)), "num_clusters": len(clusters)}
        yield Finding(kind="alike", figures=dict(figures))


def _unfinished(cells: Sequence[Cell]) -> Iterator[Finding]:
    for domain in sorted({cell.domain for cell in cells}):
        here = [cell for cell in cells if cell.domain == domain]
        without = sum(cell.num_instructions - cell.num_with_output for cell in here)
        waiting = sum(cell.num_waiting for cell in here)
        if without:
            yield Finding(kind="without_output", domain=domain, figures={"num_instructions": without})
        if waiting:
            yield Finding(kind="unannotated", domain=domain, figures={"num_instructions": waiting})
