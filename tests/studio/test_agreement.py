"""The dashboard shows the very figures of the agreement code, why there is none, and no names to reviewers."""

from __future__ import annotations

import html
import re
import threading

import numpy as np
import pytest
from annotation_team import Team, items

from instructglm.annotation.agreement import Finding, Judgements, agreement_of_project
from instructglm.annotation.agreement.coefficient import Coefficient, Sample, measure
from instructglm.annotation.agreement.findings import _SENTENCES
from instructglm.annotation.overview import standing_of
from instructglm.annotation.queue.answers import Answer, OutputRank, OutputRating
from instructglm.annotation.queue.gold import Gold, add_gold
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, change_settings, create_project
from instructglm.annotation.store.tables import Role
from instructglm.studio.figures_said import finding_said, note_said
from instructglm.studio.standings import Standings
from instructglm.studio.words import LANGUAGES, words_in

NUM_ITEMS = 24
RNG = np.random.default_rng(7)
LABELS = {(item, place): str(RNG.choice(["yes", "no"])) for item in range(1, NUM_ITEMS + 1) for place in range(3)}


@pytest.fixture
def team(local_store) -> Team:
    project = create_project(local_store, "law", Settings(annotators_per_item=3, gold_share=0))
    import_records(local_store, project, items(NUM_ITEMS, domains=("law", "健康")))
    people = [add_person(local_store, f"Person {number}", Role.ANNOTATOR) for number in range(3)]
    open_round(local_store, project)
    return Team(local_store, project, people)


@pytest.fixture
def labelled(team, clock) -> Team:
    """Known labels of three people, over two days."""
    for place, person in enumerate(team.people):
        for number in range(NUM_ITEMS):
            task = team.take(person)
            team.say(person, task, Answer(label=LABELS[task.instruction, place]))
            clock.advance(3600 if number % 12 else 60)
    return team


def _row(page: str, figure: str) -> list[str]:
    row = re.search(rf'<tr data-figure="{figure}">(.*?)</tr>', page, re.S)[1]
    return [html.unescape(cell.strip()) for cell in re.findall(r'<td class="number[^"]*">(.*?)</td>', row, re.S)]


def _shown(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def test_the_numbers_are_those_of_the_agreement_code(labelled, visit):
    cells = [(item, labelled.people[place], label) for (item, place), label in LABELS.items()]
    item, person, label = zip(*cells, strict=True)
    domain = ["law" if one % 2 else "健康" for one in item]
    expected = agreement_of_project(Judgements.of(item, person, label, domain=domain), np.random.default_rng(0))
    page = visit(Role.ADMIN).get(f"/projects/{labelled.project}/agreement").text
    for name in ("alpha", "percent", "fleiss_kappa", "gwet_ac"):
        figure = getattr(expected.whole, name)
        interval = f"[{_shown(figure.low)}, {_shown(figure.high)}]"
        assert _row(page, name) == [_shown(figure.value), interval, str(NUM_ITEMS), str(3 * NUM_ITEMS)]
    for group in expected.domains:
        assert _shown(group.alpha.value) in page
    for one in expected.with_others:
        assert _shown(one.kappa.value) in page
    assert f"of {expected.confusions[0].num_disagreements} pairs of unequal answers" in page
    assert not re.search(r"\bnan\b|None", page, re.I)


def test_what_to_do_comes_first_in_both_languages(labelled, visit):
    reviewer = visit(Role.REVIEWER)
    for language, said in (
        ("en", "below 0.667: read those on which people split"),
        ("zh", "低于 0.667：请查看分歧条目"),
    ):
        page = reviewer.get(f"/projects/{labelled.project}/agreement?lang={language}").text
        assert said in page
        assert page.index(said) < page.index("data-figure")
        assert "健康" in page


def test_reviewers_see_numbers_and_admins_names_to_them(labelled, visit):
    path = f"/projects/{labelled.project}/agreement"
    seen = visit(Role.REVIEWER).get(path).text
    assert "Person" not in re.sub(r"<th[^>]*>Person</th>", "", seen)
    numbers = set(re.findall(r"No\. (\d+)", seen))
    named = dict(re.findall(r"(Person \d) \(No\. (\d+)\)", visit(Role.ADMIN).get(path).text))
    assert len(named) == 3
    assert set(named.values()) == numbers


def test_an_absent_figure_says_why(team, visit):
    reviewer = visit(Role.REVIEWER)
    path = f"/projects/{team.project}/agreement"
    assert "Nobody has answered yet" in reviewer.get(path).text
    for person in team.people[:2]:
        team.say(person, team.take(person), Answer(label="yes"))
    page = reviewer.get(path).text
    row = _row(page, "alpha")
    assert row[0] == "–"
    assert re.search("undefined, because (everybody gave the same value|no item has two answers)", page)
    assert "wait for annotator" in page


def test_ratings_ranks_and_gold_have_their_places(local_store, visit):
    project = create_project(local_store, "ranks", Settings(annotators_per_item=2, gold_share=0.5))
    import_records(local_store, project, items(4))
    add_gold(local_store, project, [Gold(instruction=1, label="yes")])
    people = [add_person(local_store, f"Person {number}", Role.ANNOTATOR) for number in range(2)]
    open_round(local_store, project)
    team = Team(local_store, project, people)
    for person in people:
        for _ in range(4):
            task = team.take(person)
            ids = sorted(output.id for output in task.outputs)
            ratings = tuple(OutputRating(output=one, criterion="quality", value=1 + one % 5) for one in ids)
            ranks = tuple(OutputRank(output=one, rank=place) for place, one in enumerate(ids, start=1))
            team.say(person, task, Answer(label="yes", ratings=ratings, ranks=ranks))
    page = visit(Role.REVIEWER).get(f"/projects/{project}/agreement").text
    assert re.findall(r'<h2 id="question-\d">(.*?)</h2>', page) == [
        "Labels", "Ratings: quality", "Ranks: which of two outputs is better",
    ]  # fmt: skip
    assert "Gwet&#39;s AC2" in page or "Gwet's AC2" in page
    assert "1 / 1" in page


def test_a_page_that_waits_for_figures_says_so_and_shows_the_old_ones(labelled, visit):
    reviewer, path = visit(Role.REVIEWER), f"/projects/{labelled.project}/agreement"
    may = threading.Event()

    def slow(store, project):
        assert may.wait(10)
        return standing_of(store, project)

    standings = reviewer.client.app.state.standings = Standings(labelled.store, slow)
    page = reviewer.get(path).text
    assert ("being computed" in page, "figures.js" in page, "data-figure" in page) == (True, True, False)
    may.set()
    assert standings.ask(labelled.project, 10.0).is_current
    assert "figures.js" not in reviewer.get(path).text
    may.clear()
    change_settings(labelled.store, labelled.project, Settings(annotators_per_item=4))
    page = reviewer.get(path).text
    assert ("More was said since" in page, "figures.js" in page, "data-figure" in page) == (True, True, True)
    may.set()


def test_a_project_that_is_not_there_is_not_found(visit):
    reviewer = visit(Role.REVIEWER)
    assert reviewer.get("/projects/99/agreement").status_code == 404
    assert reviewer.get("/api/projects/99/standing").status_code == 404


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_finding_has_words(language):
    figures = {
        "alpha": 0.4111, "goal": 0.667, "num_items": 60, "percent": 0.94, "gwet_ac": 0.93, "num_ratings": 120,
        "next_annotator": 3, "wanted": 3, "first": "A", "second": "B", "num_pairs": 37, "num_disagreements": 52,
        "guideline": "2", "annotator": "7", "kappa": -0.123,
    }  # fmt: skip
    t = words_in(language)
    said = {
        kind: finding_said(Finding(kind=kind, domain="", figures=figures), t, lambda one: "No. 9")
        for kind in _SENTENCES
    }
    assert "0.41" in said["low_alpha"]
    assert "94%" in said["one_value_prevails"]
    assert "37" in said["confused"]
    assert ("No. 9" in said["apart"], "−0.12" in said["apart"]) == (True, True)
    without = finding_said(Finding(kind="confused", domain="", figures={**figures, "guideline": ""}), t, str)
    assert t("finding.the_guideline") in without


def _notes() -> list[str]:
    """Every note that a coefficient can carry, from the code that makes them."""
    rng = np.random.default_rng(0)

    def of(times: list[float], observed: float, expected: float) -> Coefficient:
        def one(weights):
            full = (weights > 0).all(axis=1)
            return np.full(len(weights), observed), np.where(full, expected, 0.0)

        sample = Sample(np.array(times), int(sum(times)), 2 * int(sum(times)), {"it": one})
        return measure(sample, rng)["it"]

    found = [of([], 0, 0), of([3.0], 0.0, 0.0), of([1.0], 0.5, 1.0), of([1.0, 1.0, 1.0, 1.0], 0.5, 1.0)]
    return [one.note for one in found]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_note_has_words(language):
    notes = _notes()
    assert len({note.split(":")[0] + note[-12:] for note in notes}) == 4
    said = [note_said(note, words_in(language)) for note in notes]
    assert not set(said) & set(notes)
    assert note_said("", words_in(language)) == ""
