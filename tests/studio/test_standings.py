"""Figures are computed once for a state, one project at a time, and a page never waits long for them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from instructglm.annotation.overview import standing_of
from instructglm.annotation.store.projects import Settings, change_settings, create_project
from instructglm.studio.standings import Standings


class Slow:
    """Computes only when it may, and counts."""

    def __init__(self) -> None:
        self.may, self.calls, self.at_once, self.most = threading.Event(), [], 0, 0

    def __call__(self, store, project):
        self.calls.append(project)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        assert self.may.wait(10)
        found = standing_of(store, project)
        self.at_once -= 1
        return found


@pytest.fixture
def slow() -> Slow:
    return Slow()


def test_many_who_ask_at_once_let_it_be_computed_once(local_store, project, slow):
    standings = Standings(local_store, slow)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(standings.ask, project, 10.0) for _ in range(8)]
        slow.may.set()
        assert all(one.result().is_current for one in asked)
    assert standings.ask(project).is_current
    assert slow.calls == [project]


def test_nobody_waits_long_and_the_old_figures_are_shown_meanwhile(local_store, project, slow):
    standings = Standings(local_store, slow)
    assert standings.ask(project, wait_s=0.01) == (None, False, False)
    slow.may.set()
    first = standings.ask(project, wait_s=10.0)
    assert first.is_current
    slow.may.clear()
    change_settings(local_store, project, Settings(annotators_per_item=3))
    assert standings.ask(project, wait_s=0.01) == (first.standing, False, False)
    slow.may.set()
    second = standings.ask(project, wait_s=10.0)
    assert second.is_current
    assert second.standing.overview.event > first.standing.overview.event


def test_two_projects_are_not_computed_at_the_same_time(local_store, project, slow):
    other = create_project(local_store, "other")
    standings = Standings(local_store, slow)
    for one in (project, other):
        standings.ask(one, wait_s=0.0)
    slow.may.set()
    assert all(standings.ask(one, wait_s=10.0).is_current for one in (project, other))
    assert (sorted(slow.calls), slow.most) == ([project, other], 1)


def test_only_some_are_kept(local_store, slow):
    slow.may.set()
    standings = Standings(local_store, slow)
    projects = [create_project(local_store, f"project {number}") for number in range(10)]
    for one in (*projects, projects[-1], projects[0]):
        assert standings.ask(one, wait_s=10.0).is_current
    assert slow.calls == [*projects, projects[0]]


def test_a_failure_is_told_once_and_then_tried_again(local_store, project, capsys):
    calls = []

    def fail_first(store, number):
        calls.append(number)
        if len(calls) == 1:
            raise ZeroDivisionError("no figures today")
        return standing_of(store, number)

    standings = Standings(local_store, fail_first)
    assert standings.ask(project, wait_s=10.0) == (None, False, True)
    assert "no figures today" in capsys.readouterr().err
    assert standings.ask(project, wait_s=10.0).is_current
