"""Rounds after the first: what is seen again, what is not, and agreement of people with themselves."""

import pytest
from annotation_team import items, rate
from sqlalchemy import select

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.claim import Idle, next_task
from instructglm.annotation.queue.progress import Glance, glance, people_progress, round_progress
from instructglm.annotation.queue.repeats import repeats
from instructglm.annotation.queue.rounds import add_new_instructions, close_round, list_rounds, need_more, open_round
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import Settings
from instructglm.annotation.store.tables import Item
from instructglm.annotation.store.withdrawing import withdraw_instructions, withdraw_outputs
from instructglm.core.errors import DataError

ONE_EACH = Settings(annotators_per_item=1, gold_share=0)


def write_all(team, number: int) -> list[int]:
    """The first person writes an output and a comment for every item."""
    done = []
    for one in range(number):
        task = team.take(team.people[0])
        said = Answer(written=(f"Written {one}",), label="yes", comment="secret", ratings=rate(task, 4).ratings)
        team.say(team.people[0], task, said, took_ms=1000 * (one + 1))
        done.append(task.instruction)
    return done


def test_what_others_write_is_not_seen_in_the_same_round(team) -> None:
    team = team(1, 2, settings=Settings(annotators_per_item=2, gold_share=0))
    ann, bo = team.people
    waiting = team.take(bo)
    task = team.take(ann)
    team.say(ann, task, Answer(written=("By Ann.",)))
    assert "By Ann." not in team.take(bo).model_dump_json()
    assert len(waiting.outputs) == 2


def test_a_later_round_shows_what_people_wrote_without_names(team) -> None:
    team = team(2, 2, settings=ONE_EACH)
    write_all(team, 2)
    open_round(team.store, team.project)
    task = team.take(team.people[1])
    assert len(task.outputs) == 3
    assert "Person" not in task.model_dump_json()
    assert "secret" not in task.model_dump_json()


def test_a_blind_round_shows_nothing_of_earlier_ones_not_even_to_oneself(team, clock) -> None:
    team = team(3, 1, settings=ONE_EACH)
    first = write_all(team, 3)
    made = open_round(team.store, team.project, blind=True, delay_s=3600)
    assert (made.number, made.blind) == (2, True)
    idle = next_task(team.store, team.project, team.people[0])
    assert idle == Idle(reason="too fresh", again_ms=clock.now_ms + 3_600_000)
    clock.advance(3600)
    met = []
    for value in (4, 4, 2):
        task = team.take(team.people[0])
        text = task.model_dump_json()
        assert "Written" not in text
        assert "secret" not in text
        assert (task.answer, task.revision, task.draft) == (None, 0, None)
        team.say(team.people[0], task, rate(task, value).model_copy(update={"label": "yes"}))
        met.append(task.instruction)
    assert sorted(met) == sorted(first)
    pairs = list(repeats(team.store, team.project))
    assert len(pairs) == 9
    assert sorted(pair.second for pair in pairs if pair.kind == "rating") == [2, 2, 4, 4, 4, 4]
    assert {(pair.first, pair.second) for pair in pairs if pair.kind == "label"} == {("yes", "yes")}
    assert {pair.apart_ms for pair in pairs} == {3_600_000}


def test_others_may_have_at_once_what_one_must_wait_for(team, clock) -> None:
    team = team(4, 2, settings=ONE_EACH)
    ann, bo = team.people
    done = write_all(team, 2)
    for _ in range(2):
        task = team.take(bo)
        team.say(bo, task, rate(task, 1))
    open_round(team.store, team.project, blind=True, delay_s=60)
    assert team.take(ann).instruction not in done
    assert team.take(bo).instruction in done


def test_what_is_done_elsewhere_or_meanwhile_does_not_put_off_a_blind_round(team, clock) -> None:
    here, there = team(2, 2, settings=ONE_EACH), team(3, 0, settings=ONE_EACH)
    ann = here.people[0]
    there.people, there.saves = [ann], 100  # keys that are not those of the other project
    write_all(here, 2)
    start = clock.now_ms
    open_round(here.store, here.project, blind=True, delay_s=3600)
    for seconds in (0, 1800, 1799):
        clock.advance(seconds)
        assert next_task(here.store, here.project, ann) == Idle(reason="too fresh", again_ms=start + 3_600_000)
        write_all(there, 1)
    clock.advance(1)
    here.take(ann)


def test_nothing_is_too_fresh_where_nothing_waits(team) -> None:
    team = team(3, 2, settings=ONE_EACH)
    done = write_all(team, 1)
    rest = {1, 2, 3} - set(done)
    open_round(team.store, team.project, instructions=rest, blind=True, delay_s=3600)
    write_all(team, 2)
    assert team.idle(team.people[0]) == "everything is done"


def test_a_share_of_the_items_or_chosen_ones_go_into_a_round(team) -> None:
    team = team(10, 1, settings=ONE_EACH)
    done = write_all(team, 10)
    open_round(team.store, team.project, share=0.25, blind=True)
    open_round(team.store, team.project, instructions=done[:4], annotators=3, blind=True)
    sizes = [(one.num_items, one.num_places, one.is_open) for one in round_progress(team.store, team.project)]
    assert sizes == [(10, 10, False), (3, 3, False), (4, 12, True)]
    assert [one.number for one in list_rounds(team.store, team.project)] == [1, 2, 3]


def test_progress_counts_by_round_and_person(team, clock) -> None:
    team = team(6, 2, settings=Settings(annotators_per_item=2, gold_share=0))
    ann, bo = team.people
    write_all(team, 4)
    team.say(ann, team.take(ann), Answer(skip=""), took_ms=60_000)
    team.take(ann)
    (round,) = round_progress(team.store, team.project)
    assert (round.num_places, round.num_done, round.num_leased, round.num_waiting) == (12, 4, 1, 7)
    task = team.take(bo)
    team.say(bo, task, rate(task, 1), took_ms=2500)
    first, second = people_progress(team.store, team.project)
    assert (first.name, first.num_done, first.num_skipped, first.num_leased) == ("Person 0", 4, 1, 1)
    assert first.median_s == 3.0  # of 1, 2, 3, 4 and 60
    assert (second.num_done, second.median_s) == (1, 2.5)
    team.say(bo, team.take(bo), Answer(label="no"), took_ms=3500)
    assert people_progress(team.store, team.project)[1].median_s == 3.0


def test_a_glance_tells_what_the_whole_count_tells_of_the_open_round(team) -> None:
    team = team(4, 2, settings=Settings(annotators_per_item=2, gold_share=0))
    ann, bo = team.people
    write_all(team, 2)
    open_round(team.store, team.project)
    task = team.take(bo)
    team.say(bo, task, rate(task, 1))
    team.say(bo, team.take(bo), Answer(skip=""))
    now = round_progress(team.store, team.project)[-1]
    assert glance(team.store, team.project, bo) == Glance(round=now, num_mine=1)
    assert glance(team.store, team.project, ann) == Glance(round=now, num_mine=0)
    close_round(team.store, team.project)
    assert glance(team.store, team.project, bo) == Glance(round=None, num_mine=0)


def test_a_lease_of_a_closed_round_that_ended_waits_again_in_the_count(team, clock) -> None:
    team = team(2, 2, settings=Settings(annotators_per_item=1, gold_share=0, lease_s=60))
    team.take(team.people[0])
    close_round(team.store, team.project)
    clock.advance(60)
    (round,) = round_progress(team.store, team.project)
    assert (round.num_places, round.num_done, round.num_leased, round.num_waiting) == (2, 0, 0, 2)
    (person,) = people_progress(team.store, team.project)
    assert person.num_leased == 0


def test_what_is_withdrawn_does_not_wait(team) -> None:
    team = team(3, 1, settings=ONE_EACH)
    (done,) = write_all(team, 1)
    withdraw_instructions(team.store, team.project, [done, done % 3 + 1], "not allowed")
    (round,) = round_progress(team.store, team.project)
    assert (round.num_items, round.num_places, round.num_done, round.num_waiting) == (3, 2, 1, 1)


def test_what_is_withdrawn_is_given_to_nobody(team) -> None:
    team = team(2, 1, settings=ONE_EACH)
    task = team.take(team.people[0])
    gone = task.outputs[0].id
    withdraw_outputs(team.store, team.project, [gone], "spam")
    team.say(team.people[0], task, Answer(comment="strange"))
    other = 3 - task.instruction
    withdraw_instructions(team.store, team.project, [other], "not allowed")
    assert team.idle(team.people[0]) == "everything is done"
    open_round(team.store, team.project)
    assert [output.id for output in team.take(team.people[0]).outputs] == [task.outputs[1].id]


def test_only_what_was_imported_since_joins_a_round_and_with_its_number_of_annotators(team) -> None:
    team = team(10, 1, settings=Settings(annotators_per_item=1, gold_share=0))
    open_round(team.store, team.project, share=0.1, annotators=3)
    import_records(team.store, team.project, items(15))
    assert add_new_instructions(team.store, team.project) == 5
    assert add_new_instructions(team.store, team.project) == 0
    with team.store.read() as connection:
        needed = connection.scalars(select(Item.needed).where(Item.round == 2)).all()
    assert needed == [3] * 6


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"annotators": 0}, "annotators: found 0; expected at least 1"),
        ({"annotators": -1}, "annotators: found -1"),
        ({"share": -0.5}, "share: found -0.5; expected more than 0"),
        ({"share": float("nan")}, "share: found nan"),
        ({"delay_s": float("inf")}, "delay_s: found inf"),
        ({"delay_s": -1.0}, r"delay_s: found -1\.0"),
    ],
)
def test_a_round_of_a_shape_that_means_nothing_is_refused(team, shape, message: str) -> None:
    team = team(2, 1)
    with pytest.raises(DataError, match=message):
        open_round(team.store, team.project, **shape)
    with pytest.raises(DataError, match="extra: found -5; expected at least 1"):
        need_more(team.store, team.project, [1], extra=-5)
    assert [one.number for one in list_rounds(team.store, team.project)] == [1]
