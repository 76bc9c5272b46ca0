"""`annotate verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from instructglm.cli.annotate.places import HERE, Place
from instructglm.cli.arguments import AsJson, print_json

if TYPE_CHECKING:
    from instructglm.annotation.store.chain import Head


def verify(
    store: Place = HERE,
    kept: Annotated[
        str | None, typer.Option("--head", metavar="NUMBER:HASH", help="The end of the log as it was noted down.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Go through the log, and name the first event that was changed behind its back.

    Exit code 1 if there is one.

    Example: instructglm annotate verify
    """
    from instructglm.annotation.store import open_store
    from instructglm.annotation.store.verify import verify as verify_log

    with open_store(store) as opened:
        found = verify_log(opened, _noted(kept))
    if as_json:
        print_json(found.model_dump(mode="json"))
    elif found.broken is None:
        print(f"{found.num_events} events with {found.num_rows} rows: every link holds")
    else:
        print(f"event {found.broken.event}: {found.broken.found}")
    if found.broken is not None:
        raise typer.Exit(1)


def _noted(kept: str | None) -> Head | None:
    from instructglm.annotation.store.chain import read_head
    from instructglm.core.errors import DataError

    try:
        return None if kept is None else read_head(kept)
    except DataError as error:
        raise DataError(*(f"--head: {fault}" for fault in error.faults), hint=error.hint) from error
