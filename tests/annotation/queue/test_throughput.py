"""Speed, signs of life and forecasts, from known saves at known times, on both databases."""

from __future__ import annotations

from annotation_team import rate

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.rounds import close_round
from instructglm.annotation.queue.throughput import done_by_hour, forecast, last_seen
from instructglm.annotation.store.projects import Settings
from instructglm.annotation.store.sessions import start_session, whose_session

ONE = Settings(annotators_per_item=1, gold_share=0)


def test_items_are_counted_by_the_hour_in_which_they_were_first_answered(team, clock) -> None:
    team = team(10, 3, settings=ONE)
    first, second, third = team.people
    early = team.take(first)
    team.say(first, early, rate(early, 3))
    clock.advance(5 * 3600)
    for person, number in ((first, 2), (second, 1)):
        for _ in range(number):
            task = team.take(person)
            team.say(person, task, rate(task, 3))
    clock.advance(3600)
    team.say(first, early.model_copy(update={"revision": 1}), rate(early, 4))
    team.say(third, team.take(third), Answer(skip="no idea"))
    assert done_by_hour(team.store, team.project, 8) == {
        first: (0, 0, 1, 0, 0, 0, 0, 2),
        second: (0, 0, 0, 0, 0, 0, 0, 1),
    }
    assert done_by_hour(team.store, team.project, 4)[first] == (0, 0, 0, 2)
    assert done_by_hour(team.store, team.project + 1, 8) == {}


def test_a_save_of_this_moment_or_of_a_clock_gone_back_is_of_the_last_hour(team, clock) -> None:
    team = team(2, 1, settings=ONE)
    (person,) = team.people
    task = team.take(person)
    team.say(person, task, rate(task, 3))
    assert done_by_hour(team.store, team.project, 2) == {person: (0, 1)}
    clock.advance(-9 * 3600)
    assert done_by_hour(team.store, team.project, 2) == {person: (0, 1)}


def test_a_sign_of_life_is_one_of_the_item_or_of_any_page(team, clock) -> None:
    team = team(3, 2, settings=ONE)
    first, second = team.people
    for person in (first, second):
        team.take(person)
    began = clock.now_ms
    clock.advance(7200)
    token = start_session(team.store, second)
    clock.advance(7200)
    whose_session(team.store, token)
    assert last_seen(team.store, team.project) == {first: began, second: began + 14_400_000}


def test_a_round_ends_when_its_rest_is_done_at_the_speed_of_the_last_days(team, clock) -> None:
    team = team(40, 1, settings=ONE)
    (person,) = team.people
    assert forecast(team.store, team.project).ends_ms is None
    for number in range(20):
        task = team.take(person)
        team.say(person, task, rate(task, 3))
        clock.advance(360)
        told = forecast(team.store, team.project)
        assert (told.ends_ms is None) == (number < 9)
    assert (told.round, told.num_left, told.num_done, told.window_s) == (1, 20, 20, 7200.0)
    assert told.ends_ms == clock.now_ms + 7_200_000  # as long again
    assert clock.now_ms < told.earliest_ms < told.ends_ms < told.latest_ms
    close_round(team.store, team.project)
    assert forecast(team.store, team.project) is None


def test_what_was_done_long_ago_says_nothing_of_now(team, clock) -> None:
    team = team(40, 1, settings=ONE)
    (person,) = team.people
    for _ in range(12):
        task = team.take(person)
        team.say(person, task, rate(task, 3))
    clock.advance(8 * 24 * 3600)
    told = forecast(team.store, team.project)
    assert (told.num_done, told.num_left, told.ends_ms) == (0, 28, None)
