"""Which store and which project a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from instructglm.annotation.store import Store
    from instructglm.annotation.store.projects import ProjectInfo

Project = Annotated[str, typer.Argument(metavar="PROJECT", show_default=False, help="The project's name.")]
Place = Annotated[
    str,
    typer.Option("--store", metavar="PLACE", help="Where the store is: a file, or postgresql://user@host/database."),
]
HERE = "annotations.db"


def find_project(store: Store, name: str) -> ProjectInfo:
    """The project of this name.

    Raises:
        ConfigError: there is none; the nearest name is told.
    """
    from instructglm.annotation.store.projects import list_projects
    from instructglm.core.lookup import lookup

    return lookup("project", name, {project.name: project for project in list_projects(store)})
