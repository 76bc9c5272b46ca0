"""`annotate snapshot`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from instructglm.cli.annotate.places import HERE, Place, Project, find_project
from instructglm.cli.arguments import AsJson, print_json
from instructglm.cli.tables import table

if TYPE_CHECKING:
    from instructglm.annotation.snapshot.freeze import Snapshot
    from instructglm.annotation.snapshot.manifest import Figure, Manifest, Summary


def snapshot(
    project: Project,
    store: Place = HERE,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder of snapshots.")] = Path("snapshots"),
    as_of: Annotated[
        int | None,
        typer.Option("--as-of", metavar="EVENT", show_default=False, help="The state after this event of the log."),
    ] = None,
    label_model: Annotated[
        str, typer.Option("--label-model", help="What makes one label of several: majority_vote, mace, ...")
    ] = "shrunken_dawid_skene",
    min_annotators: Annotated[
        int, typer.Option("--min-annotators", min=1, help="People an instruction needs answers of.")
    ] = 1,
    min_confidence: Annotated[
        float, typer.Option("--min-confidence", min=0, max=1, help="How likely a label has to be.")
    ] = 0.0,
    min_rating: Annotated[
        float, typer.Option("--min-rating", min=0, max=1, help="How good an output has to be; 0.5: mid-scale.")
    ] = 0.5,
    accept_imported: Annotated[
        bool, typer.Option("--accept-imported", help="Take imported outputs that nobody judged.")
    ] = False,
    with_gold: Annotated[bool, typer.Option("--with-gold", help="Take gold items, with their known answers.")] = False,
    as_json: AsJson = False,
) -> None:
    """Freeze the accepted outputs and labels of a project into files to train on, with a card and a ledger.

    Equal states and options make equal bytes; a snapshot that stands already is left as it is.

    Example: instructglm annotate snapshot law --min-annotators 2
    """
    from instructglm.annotation.snapshot.freeze import freeze
    from instructglm.annotation.snapshot.options import Options
    from instructglm.annotation.store import open_store
    from instructglm.core.progress import console_progress

    options = Options(
        label_model=label_model,
        min_annotators=min_annotators,
        min_confidence=min_confidence,
        min_rating=min_rating,
        accept_imported=accept_imported,
        with_gold=with_gold,
    )
    with open_store(store) as opened:
        number, progress = find_project(opened, project).id, console_progress()
        frozen = freeze(opened, number, options, out=out, as_of=as_of, progress=progress)
    if as_json:
        print_json({"snapshot": str(frozen.folder), "is_new": frozen.is_new, **frozen.manifest.model_dump(mode="json")})
    else:
        _show(frozen)


def _show(frozen: Snapshot) -> None:
    manifest = frozen.manifest
    print(_accepted(manifest.summary))
    if left_out := _left_out(manifest.summary):
        print("\n" + table(["left out", "why", "number"], left_out))
    if agreement := _agreement(manifest):
        print("\n" + table(["agreement", "items", "alpha", "AC", ""], agreement))
    known = "" if frozen.is_new else " (it stood there already)"
    print(f"\n{frozen.folder}{known}\n\nNext: name it in an experiment file, under data.sources, and train:")
    print(f"  - {{format: snapshot, path: {frozen.examples}}}\n  instructglm run experiment.yaml")


def _accepted(summary: Summary) -> str:
    pairs = summary.preferences.num_pairs
    outputs = f"{summary.num_outputs:,} accepted outputs and labels, {pairs:,} preference pairs"
    instructions = f"{summary.num_examples:,} of {summary.num_instructions:,} instructions"
    return f"{instructions} with {outputs}, after event {summary.event}"


def _left_out(summary: Summary) -> list[list[object]]:
    reasons = (
        ("instructions", summary.left_out.instructions),
        ("outputs", summary.left_out.outputs),
        ("pairs", summary.preferences.left_out),
    )
    return [[what, reason, f"{n:,}"] for what, counts in reasons for reason, n in counts.items()]


def _agreement(manifest: Manifest) -> list[list[object]]:
    return [
        [one.subject, f"{one.alpha.num_items:,}", _figure(one.alpha), _figure(one.gwet_ac), one.alpha.note]
        for one in manifest.agreement
        if not one.part
    ]


def _figure(one: Figure) -> str:
    if one.value is None:
        return "–"
    interval = "" if one.low is None or one.high is None else f" ({one.low:.2f} to {one.high:.2f})"
    return f"{one.value:.2f}{interval}"
