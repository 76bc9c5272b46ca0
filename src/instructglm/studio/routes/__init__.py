"""All routes, one file a group; the order is that of a person's way through the pages."""

from __future__ import annotations

from fastapi import APIRouter

from instructglm.studio.routes import (
    account,
    agreement,
    exporting,
    guidelines,
    home,
    importing,
    items,
    joining,
    log,
    people,
    progress,
    projects,
    resetting,
    review,
    rounds,
    signing_in,
    snapshots,
    verdicts,
    work,
    work_api,
    writing,
)

ROUTERS: tuple[APIRouter, ...] = (
    signing_in.router,
    signing_in.signed_in,
    joining.router,
    resetting.router,
    home.router,
    account.router,
    work.router,
    work_api.router,
    review.router,
    verdicts.router,
    agreement.router,
    progress.router,
    snapshots.router,
    people.router,
    projects.router,
    guidelines.router,
    items.router,
    importing.router,
    writing.router,
    exporting.router,
    rounds.router,
    log.router,
)
