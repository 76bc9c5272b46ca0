"""All routes, one file a group; the order is that of a person's way through the pages."""

from __future__ import annotations

from fastapi import APIRouter

from instructglm.studio.routes import (
    account,
    exporting,
    guidelines,
    home,
    importing,
    items,
    joining,
    log,
    people,
    projects,
    resetting,
    rounds,
    signing_in,
)

ROUTERS: tuple[APIRouter, ...] = (
    signing_in.router,
    signing_in.signed_in,
    joining.router,
    resetting.router,
    home.router,
    account.router,
    people.router,
    projects.router,
    guidelines.router,
    items.router,
    importing.router,
    exporting.router,
    rounds.router,
    log.router,
)
