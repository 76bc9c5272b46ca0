"""`annotate coverage` and `annotate target`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from instructglm.cli.annotate.places import HERE, Place, Project, find_project
from instructglm.cli.arguments import AsJson, print_json
from instructglm.cli.tables import table

if TYPE_CHECKING:
    from instructglm.annotation.collecting.assessment import Assessment
    from instructglm.annotation.collecting.coverage import Coverage
    from instructglm.annotation.collecting.diversity import Embed

_MOST_SHOWN = 10  # groups of near-duplicates
_WIDTH = 60  # characters of an instruction

Domain = Annotated[str | None, typer.Option(metavar="NAME", show_default=False, help="Of this domain. Default: any.")]
Complexity = Annotated[
    str | None, typer.Option(metavar="NAME", show_default=False, help="Of this complexity. Default: any.")
]
Language = Annotated[
    str | None, typer.Option(metavar="NAME", show_default=False, help="In this language. Default: any.")
]


def coverage(
    project: Project,
    store: Place = HERE,
    at_least: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of common trigrams of near-duplicates.")
    ] = 0.7,
    embedding: Annotated[
        str | None,
        typer.Option(metavar="DIR", show_default=False, help="A model that embeds texts: measures meaning too."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the samples that diversity is measured of.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show what a project has of each domain and complexity, how varied it is, and what to collect next.

    Example: instructglm annotate coverage law
    """
    import numpy as np

    from instructglm.annotation.collecting.assessment import assess
    from instructglm.annotation.store import open_store

    with open_store(store) as opened:
        number = find_project(opened, project).id
        rng = np.random.default_rng(seed)
        found = assess(opened, number, rng, embed=_embedder(embedding), at_least=at_least)
    if as_json:
        texts = [{"text": finding.text, **finding.model_dump(mode="json")} for finding in found.findings]
        print_json({**found.model_dump(mode="json"), "findings": texts})
        return
    print("\n\n".join(_parts(found)))


def _embedder(model: str | None) -> Embed | None:
    if model is None:
        return None
    from instructglm.pipeline.embedding import open_embedder

    return open_embedder(model)


def _parts(found: Assessment) -> Iterator[str]:
    if not found.coverage.cells:
        yield "no instruction yet"
        return
    yield _grid(found.coverage)
    languages = _by_language(found.coverage)
    yield table(["language", "instructions", "with output", "annotated", "waiting"], languages)
    if found.coverage.targets:
        rows = [[*(name or "any" for name in one.target.place), one.num_instructions, one.target.num, one.num_missing]
                for one in found.coverage.targets]  # fmt: skip
        yield table(["domain", "complexity", "language", "has", "target", "missing"], rows)
    yield table(["diversity", "value", "95 % of samples", "samples"], [*_diversity(found)])
    columns = ("num_tokens", "num_questions", "num_constraints", "num_items", "sentence_length", "rarity")
    rows = [[one.complexity or "(untold)", one.num_instructions, *(f"{getattr(one, column):.1f}" for column in columns)]
            for one in found.complexity]  # fmt: skip
    header = ["complexity", "n", "tokens", "questions", "constraints", "list items", "tokens/sentence", "rarity, bits"]
    yield table(header, rows)
    if found.clusters:
        yield "\n".join(_clusters(found))
    if found.findings:
        yield "\n".join(["What to collect next", *(f"- {finding.text}" for finding in found.findings)])


def _grid(found: Coverage) -> str:
    """Domains down, complexities across."""
    from instructglm.annotation.store.projects import Target

    def counts(domain: str | None) -> list[object]:
        levels = [found.count(Target(domain=domain, complexity=level, num=1)) for level in found.complexities]
        return [*levels, found.count(Target(domain=domain, num=1))]

    rows = [[domain or "(untold)", *counts(domain)] for domain in found.domains]
    header = ["domain", *(level or "(untold)" for level in found.complexities), "all"]
    return table(header, [*rows, ["all", *counts(None)]])


def _by_language(found: Coverage) -> list[list[object]]:
    rows = []
    for language in sorted({cell.language for cell in found.cells}):
        here = [cell for cell in found.cells if cell.language == language]
        columns = ("num_instructions", "num_with_output", "num_annotated", "num_waiting")
        rows.append([language or "(untold)", *(sum(getattr(cell, column) for cell in here) for column in columns)])
    return rows


def _diversity(found: Assessment) -> Iterator[list[object]]:
    for one in found.diversity:
        interval = "" if one.low is None else f"{one.low:.3g} to {one.high:.3g}"
        of = "tokens" if one.measure.startswith("distinct") else "instructions"
        yield [one.measure, f"{one.value:.3g}", interval, f"{one.num_draws} of {one.num_sampled} {of}"]


def _clusters(found: Assessment) -> Iterator[str]:
    yield "Near-duplicates, by id"
    for cluster in found.clusters[:_MOST_SHOWN]:
        text = " ".join(cluster.text[: 4 * _WIDTH].split())
        shown = text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
        yield f"- {', '.join(map(str, cluster.instructions))}: {shown}"
    if len(found.clusters) > _MOST_SHOWN:
        yield f"- and {len(found.clusters) - _MOST_SHOWN} groups more (--json has them all)"


def target(
    project: Project,
    num: Annotated[int, typer.Option(min=0, help="How many are wanted; 0: no target here any more.")],
    domain: Domain = None,
    complexity: Complexity = None,
    language: Language = None,
    store: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """Say how many instructions are wanted, in all or of a domain, complexity or language.

    Example: instructglm annotate target law --domain traffic --complexity hard --num 50
    """
    from instructglm.annotation.collecting.coverage import coverage as count
    from instructglm.annotation.collecting.coverage import drop_target, set_target
    from instructglm.annotation.store import open_store
    from instructglm.annotation.store.projects import Target

    with open_store(store) as opened:
        number = find_project(opened, project).id
        if num:
            set_target(opened, number, Target(domain=domain, complexity=complexity, language=language, num=num))
        else:
            drop_target(opened, number, domain=domain, complexity=complexity, language=language)
        targets = count(opened, number).targets
    if as_json:
        print_json([one.model_dump(mode="json") for one in targets])
        return
    rows = [[*(name or "any" for name in one.target.place), one.num_instructions, one.target.num] for one in targets]
    print(table(["domain", "complexity", "language", "has", "target"], rows) if rows else "no target")
