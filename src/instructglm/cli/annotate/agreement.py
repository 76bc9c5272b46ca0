"""`annotate agreement`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from instructglm.cli.annotate.places import HERE, Place, Project, find_project
from instructglm.cli.arguments import AsJson, print_json
from instructglm.cli.tables import table

if TYPE_CHECKING:
    from instructglm.annotation.agreement import Coefficient, GroupAgreement, PersonAgreement
    from instructglm.annotation.overview import Overview, QuestionFigures

_FIGURES = {"alpha": "Krippendorff's alpha", "percent": "agreement", "fleiss_kappa": "Fleiss' kappa"}
_HEADER = ["", "value", "95 % interval", "items", "answers", "note"]


def agreement(
    project: Project,
    store: Place = HERE,
    fail_under: Annotated[
        float | None,
        typer.Option(
            "--fail-under", metavar="ALPHA", help="Exit code 1 if alpha of a question is below, or undefined."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how far people agree, question by question, and what to do next.

    Questions are the labels, the ratings by each criterion, and the ranks.

    Example: instructglm annotate agreement law --fail-under 0.667
    """
    from instructglm.annotation.overview import standing_of
    from instructglm.annotation.store import open_store
    from instructglm.annotation.store.people import list_people

    with open_store(store) as opened:
        overview = standing_of(opened, find_project(opened, project).id).overview
        names = {str(person.id): person.name for person in list_people(opened)}
    below = [] if fail_under is None else [*_below(overview, fail_under)]
    if as_json:
        found = overview.model_dump(mode="json")
        found["findings"] = [{"text": one.text, **one.model_dump(mode="json")} for one in overview.findings]
        print_json({**found, "people": names, "below": below})
    else:
        _show(overview, lambda person: names.get(person, person))
        for one in below:
            print(one)
    if below:
        raise typer.Exit(1)


def _below(overview: Overview, goal: float) -> Iterator[str]:
    if not overview.questions:
        yield f"nobody has answered yet: no alpha, expected at least {goal:g}"
    for question in overview.questions:
        alpha = question.figures.whole.alpha
        if alpha.value is None:
            yield f"{_name(question)}: no alpha ({alpha.note}), expected at least {goal:g}"
        elif alpha.value < goal:
            yield f"{_name(question)}: alpha {alpha.value:.3f}, expected at least {goal:g}"


def _name(question: QuestionFigures) -> str:
    return f"ratings by {question.criterion!r}" if question.kind == "rating" else f"{question.kind}s"


def _show(overview: Overview, call: Callable[[str], str]) -> None:
    print("What to do next" if overview.findings else "Nothing stands out.")
    for one in overview.findings:
        annotator = one.figures.get("annotator")
        named = one if annotator is None else one.model_copy(update={"figures": _named(one.figures, call)})
        print(f"- {named.text}")
    for question in overview.questions:
        print(f"\n{_name(question)}\n{table(_HEADER, [*_whole(question)])}")
        for title, rows in _parts(question, call).items():
            if rows:
                print(f"\n{title}\n{table(_HEADER, rows)}")
        if question.kind != "rank" and (confused := question.figures.confusions):
            pairs = [[one.first, one.second, f"{one.num_pairs} of {one.num_disagreements}"] for one in confused]
            print("\n" + table(["what stands", "against what", "times"], pairs))
    if overview.gold:
        rows = [[one.name, f"{one.hits} of {one.n}", f"{one.low:.0%} to {one.high:.0%}"] for one in overview.gold]
        print("\n" + table(["gold items", "right", "95 % interval"], rows))


def _named(figures: dict[str, Any], call: Callable[[str], str]) -> dict[str, Any]:
    return {**figures, "annotator": call(str(figures["annotator"]))}


def _whole(question: QuestionFigures) -> Iterator[list[object]]:
    whole = question.figures.whole
    for key, name in _FIGURES.items():
        yield [name, *_cells(getattr(whole, key))]
    yield ["Gwet's AC1" if question.figures.level == "nominal" else "Gwet's AC2", *_cells(whole.gwet_ac)]


def _parts(question: QuestionFigures, call: Callable[[str], str]) -> dict[str, list[list[object]]]:
    figures = question.figures
    return {
        "alpha by domain": _groups(figures.domains),
        "alpha by round": _groups(figures.rounds),
        "kappa with the others": _people(figures.with_others, call),
        "kappa with themselves, a round later": _people(figures.with_self, call),
        "reliability of labels": [
            [call(one.annotator), f"{one.accuracy:.3f}", "", "", one.num_votes, ""] for one in question.reliability
        ],
    }


def _groups(groups: Iterable[GroupAgreement]) -> list[list[object]]:
    rows: list[list[object]] = [[group.name or "-", *_cells(group.alpha)] for group in groups]
    return rows if len(rows) > 1 else []  # one alone is the whole


def _people(people: Iterable[PersonAgreement], call: Callable[[str], str]) -> list[list[object]]:
    return [["everybody" if one.annotator is None else call(one.annotator), *_cells(one.kappa)] for one in people]


def _cells(figure: Coefficient) -> list[object]:
    value = "-" if figure.value is None else f"{figure.value:.3f}"
    has_interval = figure.low is not None and figure.high is not None
    interval = f"{figure.low:.3f} to {figure.high:.3f}" if has_interval else ""
    return [value, interval, figure.num_items, figure.num_ratings, figure.note]
