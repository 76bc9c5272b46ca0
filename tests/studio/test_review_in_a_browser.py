"""A reviewer in a real browser: by keys alone, against another reviewer, on a phone, in the dark, in Chinese."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from browsers import PHONE, serious_faults
from disputes import disputed

from instructglm.annotation.overview import standing_of
from instructglm.annotation.queue.adjudicate import Verdict, decide, open_case
from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.docket import waiting_cases
from instructglm.annotation.queue.flags import open_flags
from instructglm.annotation.queue.throughput import forecast, last_seen
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.tables import Role
from instructglm.annotation.store.verify import verify

THEMES = ("light", "dark")


@pytest.fixture
def team(served):
    return disputed(served.store)


def _case(seat) -> int:
    return int(re.search(r"/review/(\d+)", seat.page.url)[1])


def _texts(store, person, instruction, ids) -> list[str]:
    texts = {one.id: one.text for one in open_case(store, person, instruction).outputs}
    return [texts[one] for one in ids]


def test_two_disagreements_are_decided_by_keys_alone(served, seat, team):
    reviewer = seat(Role.REVIEWER)
    page, keys = reviewer.page, reviewer.page.keyboard
    reviewer.open(f"/projects/{team.project}/review")
    assert page.locator("tbody tr").first.locator("td").last.inner_text() == "1.00"
    page.locator("#start").focus()
    keys.press("Enter")
    page.wait_for_selector("#verdict")
    first = _case(reviewer)
    shown = [one.id for one in open_case(served.store, reviewer.person, first).outputs]
    keys.press("2")
    keys.press("Shift+Digit1")
    keys.press("Enter")
    page.wait_for_selector("text=Say why")
    assert page.evaluate("document.activeElement.id") == "reason"
    keys.type("It is the careful answer.")
    keys.press("Control+Enter")
    page.wait_for_url(lambda url: not url.endswith(f"/review/{first}"))
    verdict = open_case(served.store, reviewer.person, first).verdict
    assert (verdict.accepted, verdict.label, verdict.reason) == ((shown[1],), "yes", "It is the careful answer.")

    second = _case(reviewer)
    keys.press("1")
    keys.press("1")  # and taken back
    keys.press("e")
    page.wait_for_function("document.activeElement.name === 'edit'")
    keys.press("Control+End")
    keys.type(" Ask a doctor.")
    keys.press("Escape")
    keys.press("w")
    keys.type("My own answer. 1a")
    keys.press("Escape")
    keys.press("r")
    keys.type("None was complete.")
    keys.press("Escape")
    keys.press("Enter")
    page.wait_for_url(lambda url: not url.endswith(f"/review/{second}"))
    verdict = open_case(served.store, reviewer.person, second).verdict
    own, better = _texts(served.store, reviewer.person, second, verdict.accepted)
    assert own == "My own answer. 1a"
    assert better.endswith(" Ask a doctor.")
    assert {first, second} == {1, 2}
    assert len(waiting_cases(served.store, team.project)) == 2
    assert (verify(served.store).broken, reviewer.faults) == (None, [])


def test_what_was_typed_is_kept_until_it_is_decided(served, seat, team):
    reviewer = seat(Role.REVIEWER)
    page = reviewer.page
    reviewer.open(f"/projects/{team.project}/review/1")
    page.locator("#reason").fill("因为很清楚")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.reload()
    page.wait_for_selector("text=is here again")
    assert page.locator("#reason").input_value() == "因为很清楚"
    assert page.locator("input[name=accepted]").first.is_checked()
    served.kill()
    page.locator("#decide").click()
    page.wait_for_selector("text=The server was not reached")
    served.start()
    page.locator("#decide").click()
    page.wait_for_url("**/review/2")
    assert open_case(served.store, reviewer.person, 1).verdict.reason == "因为很清楚"
    reviewer.open(f"/projects/{team.project}/review/1")
    assert page.locator("#reason").input_value() == ""
    assert reviewer.faults == []


def test_two_reviewers_lose_nothing_to_each_other(served, seat, team):
    one, other = seat(Role.REVIEWER), seat(Role.REVIEWER)
    for reviewer in (one, other):
        reviewer.open(f"/projects/{team.project}/review/1")
    for reviewer, reason in ((one, "first come"), (other, "second thought")):
        reviewer.page.locator("#reason").fill(reason)
        reviewer.page.locator("input[name=accepted]").first.check()
        reviewer.page.locator("#decide").click()
        if reviewer is one:
            one.page.wait_for_url("**/review/2")
    other.page.wait_for_selector("text=Another reviewer decided meanwhile: “first come”")
    assert open_case(served.store, one.person, 1).verdict.reason == "first come"
    other.page.locator("#renew a").click()
    other.page.wait_for_selector("#already")
    assert other.page.locator("#reason").input_value() == "second thought"
    other.page.locator("#decide").click()
    other.page.wait_for_url("**/review/2")
    assert open_case(served.store, one.person, 1).verdict.reason == "second thought"
    assert (one.faults, other.faults) == ([], [])


def test_what_somebody_says_meanwhile_is_to_be_seen_first(served, seat, team):
    reviewer = seat(Role.REVIEWER)
    page = reviewer.page
    reviewer.open(f"/projects/{team.project}/review/1")
    page.keyboard.press("m")
    page.wait_for_url("**/review/2")
    page.keyboard.press("f")
    page.keyboard.type("Is this lawful to ask?")
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    page.wait_for_url("**/review/3")
    assert [flag.instruction for flag in open_flags(served.store, team.project)] == [2]
    reviewer.open(f"/projects/{team.project}/review/1")
    third = add_person(served.store, "Third", Role.ANNOTATOR)
    team.say(third, team.take(third), Answer(label="no", comment="<img src=x onerror=alert(1)>"))
    page.locator("#reason").fill("so")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("text=Nothing is accepted")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("text=New answers came meanwhile: 1")
    page.locator("#renew a").click()
    page.wait_for_selector(".badge.new")
    assert "<img src=x onerror=alert(1)>" in page.locator(".evidence").inner_text()
    assert reviewer.faults == []


def test_no_key_fires_while_a_text_is_composed_and_the_opinion_waits_to_be_asked(served, seat, team):
    reviewer = seat(Role.REVIEWER)
    page = reviewer.page
    reviewer.open(f"/projects/{team.project}/review/1")
    composing = "new KeyboardEvent('keydown', {key: '%s', code: '%s', isComposing: true, bubbles: true})"
    for key, code in (("1", "Digit1"), ("Enter", "Enter"), ("a", "KeyA")):
        page.evaluate(f"document.body.dispatchEvent({composing % (key, code)})")
    assert page.locator("input[name=accepted]:checked").count() == 0
    assert page.locator("#told").inner_text() == page.locator("#opinions").inner_text() == ""
    page.keyboard.press("o")
    page.wait_for_selector("#opinions >> text=quality: mean 3.00 of 2")
    assert "Likely label" in page.locator("#opinions").inner_text()
    assert reviewer.faults == []


def test_the_dashboard_shows_the_figures_of_the_store(served, seat, team):
    overview = standing_of(served.store, team.project).overview
    reviewer = seat(Role.REVIEWER)
    reviewer.open(f"/projects/{team.project}/agreement")
    reviewer.page.wait_for_selector("tr[data-figure=alpha]")
    questions = reviewer.page.locator("section.question")
    assert questions.count() == len(overview.questions) == 3
    for place, question in enumerate(overview.questions):
        for name in ("alpha", "percent", "fleiss_kappa", "gwet_ac"):
            figure = getattr(question.figures.whole, name)
            shown = questions.nth(place).locator(f"tr[data-figure={name}] td.value").inner_text()
            assert shown == ("–" if figure.value is None else f"{figure.value:.3f}".replace("-", "−"))
    assert "Person 0" not in reviewer.page.content()
    assert reviewer.faults == []


def test_figures_that_take_long_appear_by_themselves(served, seat, team):
    reviewer = seat(Role.REVIEWER)
    page = reviewer.page
    states = iter([{"is_current": False, "has_failed": False}, {"is_current": True, "has_failed": False}])
    waiting = '<p id="computing" data-project="1"></p><script src="/static/figures.js"></script>'
    page.route("**/standing", lambda route: route.fulfill(json={"event": 1, **next(states)}))
    page.route("**/agreement", lambda route: route.fulfill(body=waiting, content_type="text/html"), times=1)
    reviewer.open(f"/projects/{team.project}/agreement")
    page.wait_for_selector("tr[data-figure=alpha]", timeout=15_000)
    assert next(states, None) is None


def test_progress_tells_times_as_the_readers_clock_has_them(served, seat, team):
    reviewer = seat(Role.ADMIN, timezone_id="Asia/Shanghai", locale="en-GB")
    reviewer.open(f"/projects/{team.project}/progress")
    shown = reviewer.page.locator("time").all_inner_texts()
    seen = [last_seen(served.store, team.project)[person] / 1000 for person in team.people]
    there = [datetime.fromtimestamp(at, ZoneInfo("Asia/Shanghai")) for at in seen]
    expected = [f"{at:%b} {at.day}, {at.year}, {at:%-I:%M %p}" for at in there]
    assert [text.replace("\u202f", " ") for text in shown] == expected
    assert forecast(served.store, team.project).num_left == 0
    assert "All its places are done" in reviewer.page.content()
    assert "Person 0 (No." in reviewer.page.content()
    assert reviewer.faults == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_accessible_and_fits_a_phone(theme, language, served, seat, team):
    case = open_case(served.store, 1, 3)
    decide(served.store, 1, case, Verdict(label="yes", reason="clear", accepted=(case.outputs[0].id,)), key="k")
    reviewer = seat(Role.REVIEWER, color_scheme=theme, bypass_csp=True, **PHONE)
    for place in ("review", "review/1", "review/3", "agreement", "progress"):
        reviewer.open(f"/projects/{team.project}/{place}?lang={language}")
        for details in reviewer.page.locator("main details").all():
            details.evaluate("one => { one.open = true; }")
        assert serious_faults(reviewer.page) == [], place
        width = reviewer.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, f"{place}: {width}"
    assert reviewer.faults == []
