"""The application: the store, the routes, and what holds for all of them."""

from __future__ import annotations

from importlib import resources
from threading import Lock

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from instructglm import __version__
from instructglm.annotation.store import Store
from instructglm.core.records import Record
from instructglm.studio.attempts import Attempts
from instructglm.studio.checking import LogChecks
from instructglm.studio.errors import add_handlers
from instructglm.studio.headers import Headers
from instructglm.studio.likeness import Likeness
from instructglm.studio.routes import ROUTERS
from instructglm.studio.standings import Standings
from instructglm.studio.uploads import Uploads

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Options(Record):
    """How the pages are served.

    `names` are the host names under which browsers may ask for them: a page of
    another site cannot pass for one of ours by pointing its name at this
    machine (DNS rebinding). `is_https` marks cookies as for HTTPS alone.
    """

    names: tuple[str, ...] = LOCAL_NAMES
    is_https: bool = False
    max_body_bytes: int = 32 * 2**20


def create_app(store: Store, options: Options | None = None) -> FastAPI:
    """All pages over one store. The caller closes the store."""
    options = options or Options()
    app = FastAPI(
        title="InstructGLM",
        version=__version__,
        docs_url=None,  # these pages would load scripts from another host
        redoc_url=None,
        openapi_url=None,  # what there is, is nobody's business who is not signed in
        max_body_size=options.max_body_bytes,
        middleware=[Middleware(Headers), Middleware(TrustedHostMiddleware, allowed_hosts=list(options.names))],
    )
    app.state.store, app.state.options, app.state.attempts = store, options, Attempts()
    app.state.standings, app.state.likeness = Standings(store), Likeness(store)
    app.state.snapshot_turn = Lock()  # counting a million judgements takes half a minute and half a gigabyte
    app.state.uploads, app.state.log_checks = Uploads(), LogChecks(store)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=str(resources.files(__package__) / "static")), name="static")
    add_handlers(app)
    return app
