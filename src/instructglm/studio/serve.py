"""Running the server."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from instructglm.annotation.store import Store
from instructglm.annotation.store.invitations import invite
from instructglm.annotation.store.people import list_people
from instructglm.annotation.store.tables import Role
from instructglm.core.errors import RunError

_FIRST_INVITATION_S = 3600.0
_GRACE_S = 5  # for requests in work when the server is asked to end


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one.

    Raises:
        RunError: another program listens there, or the machine has no such address.
    """
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512
        )
    except OSError as error:
        raise RunError(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            hint="Choose another port (--port 0 takes a free one), or see which program holds this one.",
        ) from error


def address_of(listener: socket.socket, *, is_https: bool = False) -> str:
    """The URL under which this machine's browser finds it."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)
    return f"{'https' if is_https else 'http'}://{host}:{port}"


def first_admin(store: Store) -> str | None:
    """An invitation for the first admin, valid for an hour; None where there is one already."""
    if any(person.role == Role.ADMIN and not person.is_removed for person in list_people(store)):
        return None
    return invite(store, Role.ADMIN, valid_s=_FIRST_INVITATION_S)


def serve(app: FastAPI, listener: socket.socket, *, ready: Callable[[], None] = lambda: None) -> None:
    """Answer until somebody ends it (Ctrl-C); requests in work are finished first. `ready` is called at the start."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    ready()
    server.run(sockets=[listener])
