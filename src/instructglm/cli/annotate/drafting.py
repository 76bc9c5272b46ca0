"""`annotate draft`."""

from __future__ import annotations

from typing import Annotated

import typer

from instructglm.cli.annotate.places import HERE, Place, Project, find_project
from instructglm.cli.arguments import AsJson, print_json


def draft(
    project: Project,
    model: Annotated[
        str,
        typer.Option(metavar="RUN", show_default=False, help="A run (its --out), or a model by folder or hub id."),
    ],
    store: Place = HERE,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="Distinct outputs for each instruction.")] = 3,
    temperature: Annotated[float, typer.Option(min=0.01, help="Of sampling.")] = 1.0,
    top_p: Annotated[float, typer.Option(min=0.01, max=1.0, help="Share of the likeliest tokens drawn from.")] = 1.0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Length limit of one output.")] = 256,
    limit: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="Most instructions of this run. Default: all.")
    ] = None,
    only_empty: Annotated[
        bool, typer.Option("--only-empty/--all", help="Only instructions without any output, or all of them.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Another one draws other outputs.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Let a model draft outputs of instructions, to be rated or edited.

    What is drafted is stored on the way: the same command goes on where it was interrupted, and doubles nothing.

    Example: instructglm annotate draft law --model runs/law -k 3
    """
    from instructglm.annotation.collecting.drafts import Recipe
    from instructglm.annotation.store import open_store
    from instructglm.core.progress import console_progress
    from instructglm.pipeline.drafting import draft as draft_project
    from instructglm.pipeline.speakers import open_speaker

    with open_store(store) as opened:
        number = find_project(opened, project).id
        speaker = open_speaker(model)
        recipe = Recipe(
            model=speaker.name,
            k=k,
            temperature=temperature,
            top_p=top_p,
            max_new_tokens=max_new_tokens,
            seed=seed,
        )
        progress = console_progress()
        done = draft_project(opened, number, speaker, recipe, progress, only_empty=only_empty, limit=limit)
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    print(f"{done.num_outputs} drafts by {done.model} for {done.num_instructions} instructions")
    parts = (
        (done.num_short, f"instructions with fewer than {k}"),
        (done.num_cut, "cut for length"),
        (done.num_repeated, "repeats"),
        (done.num_blank, "blank"),
    )
    if told := [f"{number} {what}" for number, what in parts if number]:
        print(", ".join(told))
    for reason, number in done.left_out.items():
        print(f"left out: {number} for: {reason}")
