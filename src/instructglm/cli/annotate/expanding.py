"""`annotate expand`, and what people do with what it brings: `proposals`, `accept` and `reject`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from instructglm.cli.annotate.places import HERE, Place, Project, find_project
from instructglm.cli.arguments import AsJson, print_json
from instructglm.cli.tables import table

if TYPE_CHECKING:
    from instructglm.annotation.collecting.expanding import Ask
    from instructglm.annotation.collecting.expansions import Expanded
    from instructglm.annotation.store import Store
    from instructglm.core.progress import Progress

_WIDTH = 90  # characters of a proposal

Ids = Annotated[list[int], typer.Argument(metavar="ID", show_default=False, help="The proposals, by number.")]
Who = Annotated[str, typer.Option("--person", metavar="NAME", show_default=False, help="Who decides.")]
State = Annotated[str, typer.Option(metavar="STATE", help="waiting, accepted, rejected or all.")]


def expand(
    project: Project,
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL", show_default=False, help="As the endpoint calls it; without one, a run's folder."
        ),
    ],
    store: Place = HERE,
    endpoint: Annotated[
        str | None,
        typer.Option(metavar="URL", show_default=False, help="OpenAI-compatible, as http://localhost:8000/v1."),
    ] = None,
    key_variable: Annotated[
        str, typer.Option(metavar="NAME", help="The environment variable that holds the endpoint's key.")
    ] = "OPENAI_API_KEY",
    num: Annotated[int, typer.Option(min=1, help="How many new instructions.")] = 50,
    language: Annotated[str, typer.Option(metavar="LANGUAGE", help="en or zh.")] = "en",
    domain: Annotated[str, typer.Option(metavar="NAME", help="Of which domain.")] = "",
    complexity: Annotated[str, typer.Option(metavar="NAME", help="How demanding.")] = "",
    examples: Annotated[int, typer.Option(min=1, max=50, help="Instructions shown to the model in one request.")] = 6,
    per_reply: Annotated[int, typer.Option(min=1, max=50, help="New instructions asked for in one request.")] = 5,
    similarity: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Share of common trigrams from which one is dropped.")
    ] = 0.7,
    temperature: Annotated[float, typer.Option(min=0.0, help="Of sampling.")] = 1.0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Length limit of one reply.")] = 1024,
    seed: Annotated[int, typer.Option(help="Another one makes another expansion.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Let a model write more instructions like those of a project, for a person to accept or reject.

    Every reply is stored when it comes: the same command goes on where it was interrupted, and a higher --num asks for
    more. Nobody is given a proposal before it is accepted.

    Example: instructglm annotate expand law --endpoint http://localhost:8000/v1 --model glm-4-9b --num 100
    """
    from instructglm.annotation.collecting.expanding import expand as expand_project
    from instructglm.annotation.collecting.expansions import Wish
    from instructglm.annotation.store import open_store
    from instructglm.core.progress import console_progress

    progress = console_progress()
    with open_store(store) as opened:
        number = find_project(opened, project).id
        name, ask = _asker(model, endpoint, key_variable, temperature, max_new_tokens, progress)
        wish = Wish(
            model=name,
            num=num,
            language=language,
            domain=domain,
            complexity=complexity,
            num_examples=examples,
            num_per_reply=per_reply,
            similarity=similarity,
            seed=seed,
        )
        done = expand_project(opened, number, wish, ask, progress)
    if as_json:
        print_json(done.model_dump(mode="json"))
    else:
        _show(done, project)


def _asker(
    model: str, endpoint: str | None, key_variable: str, temperature: float, max_new_tokens: int, progress: Progress
) -> tuple[str, Ask]:
    """The name under which the model's proposals are stored, and what asks it."""
    if endpoint is not None:
        from instructglm.annotation.collecting.endpoint import open_endpoint

        settings = {"temperature": temperature, "max_new_tokens": max_new_tokens}
        key = os.environ.get(key_variable, "")
        return model, open_endpoint(endpoint, model, progress, key=key, **settings)
    from instructglm.pipeline.asking import local_asker

    return local_asker(model, temperature=temperature, max_new_tokens=max_new_tokens)


def _show(done: Expanded, project: str) -> None:
    reasons = ", ".join(f"{number} {reason.replace('_', ' ')}" for reason, number in done.dropped.items())
    print(f"{done.num_kept} proposals of {done.num_replies} replies; dropped: {reasons or 'nothing'}")
    if done.num_tokens:
        print(f"{done.num_prompt_tokens:,} tokens read, {done.num_tokens:,} written")
    print(f"\nNext: instructglm annotate proposals {project}")


def proposals(project: Project, store: Place = HERE, state: State = "waiting", as_json: AsJson = False) -> None:
    """List the instructions that models proposed.

    Example: instructglm annotate proposals law --json
    """
    from instructglm.annotation.collecting.proposals import list_proposals
    from instructglm.annotation.store import open_store
    from instructglm.core.lookup import lookup

    states = {"waiting": "waiting", "accepted": "accepted", "rejected": "rejected", "all": None}
    wanted = lookup("state", state, states)
    with open_store(store) as opened:
        number = find_project(opened, project).id
        found = list_proposals(opened, number, state=wanted)  # type: ignore[arg-type]
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    rows = [[one.id, one.state, one.record.domain, _line(one.record.prompt()[-1].content)] for one in found]
    print(table(["id", "state", "domain", "instruction"], rows) if rows else "no proposals")


def _line(text: str) -> str:
    shown = " ".join(text[: 4 * _WIDTH].split())
    return shown if len(shown) <= _WIDTH else shown[: _WIDTH - 1] + "…"


def accept(
    ids: Ids,
    person: Who,
    store: Place = HERE,
    reason: Annotated[str, typer.Option(help="Why, if there is something to say.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make instructions of proposals: they are imported, and their source names the model.

    Example: instructglm annotate accept 3 4 7 --person Ann
    """
    from instructglm.annotation.collecting.proposals import accept_proposal

    _decide(ids, person, store, as_json, lambda opened, one, who: accept_proposal(opened, one, who, reason))


def reject(
    ids: Ids,
    person: Who,
    reason: Annotated[str, typer.Option(show_default=False, help="Why.")],
    store: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """Put proposals away; what is nearly the same is not proposed again.

    Example: instructglm annotate reject 5 --person Ann --reason "not law"
    """
    from instructglm.annotation.collecting.proposals import reject_proposal

    _decide(ids, person, store, as_json, lambda opened, one, who: reject_proposal(opened, one, who, reason))


def _decide(
    ids: list[int], person: str, store: str, as_json: bool, decide: Callable[[Store, int, int], int | None]
) -> None:
    """Decide one by one; what was decided before one that cannot be stays."""
    from instructglm.annotation.store import open_store
    from instructglm.annotation.store.people import list_people
    from instructglm.core.lookup import lookup

    with open_store(store) as opened:
        who = lookup("person", person, {one.name: one.id for one in list_people(opened) if not one.is_removed})
        made = {one: decide(opened, one, who) for one in ids}
    if as_json:
        print_json({"instructions": made})
    else:
        new = [number for number in made.values() if number is not None]
        print(f"decided: {len(made)}" + (f"; instructions {', '.join(map(str, new))}" if new else ""))
