"""`annotate serve`."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from instructglm.cli.annotate.places import HERE, Place

_ANYWHERE = ("0.0.0.0", "::")


def serve(
    store: Place = HERE,
    host: Annotated[str, typer.Option(help="The address to listen on; others reach only what is not 127.0.0.1.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    names: Annotated[
        list[str] | None,
        typer.Option("--name", help="A host name by which browsers ask for the pages; may be given several times."),
    ] = None,
    https: Annotated[bool, typer.Option("--https", help="Browsers come by HTTPS, through a proxy of yours.")] = False,
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    """Open the pages for annotating, reviewing and managing; Ctrl-C ends it.

    The first time, an invitation for the first admin is made, good for an hour.

    Example: instructglm annotate serve
    """
    from instructglm.annotation.store import open_store
    from instructglm.studio import Options, create_app
    from instructglm.studio.app import LOCAL_NAMES
    from instructglm.studio.serve import address_of, first_admin, listen
    from instructglm.studio.serve import serve as answer

    known = (*LOCAL_NAMES, *([host] if host not in _ANYWHERE else []), *(names or ()))
    if host in _ANYWHERE and not names:
        known = ("*",)
    with open_store(store) as opened, _alone(store), listen(host, port) as listener:
        address = address_of(listener, is_https=https)
        token = first_admin(opened)
        start = f"{address}/join#{token}" if token else address
        print(f"{opened} is served at {address}", flush=True)
        if token:
            print(f"You are its first admin. Within an hour, open {start}", flush=True)
        app = create_app(opened, Options(names=known, is_https=https))
        answer(app, listener, ready=lambda: _show(start) if browser else None)


@contextmanager
def _alone(place: str) -> Iterator[None]:
    """One server for a file: two would count failed sign-ins apart. PostgreSQL may have several."""
    from instructglm.annotation.store.engines import store_url
    from instructglm.core.errors import RunError
    from instructglm.core.workspace import exclusive

    url = store_url(place)
    if url.get_backend_name() != "sqlite":
        yield
        return
    with ExitStack() as held:
        try:
            held.enter_context(exclusive(Path(str(url.database)).resolve()))
        except RunError as error:
            raise RunError(f"{place}: another server has it open", hint="Use that one, or end it first.") from error
        yield


def _show(address: str) -> None:
    webbrowser.open(address)
