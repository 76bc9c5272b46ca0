"""Who gets which item: each to k people, nobody twice, shared evenly, and back when somebody goes away."""

from collections import Counter

import pytest
from annotation_team import items, rate
from hypothesis import given, settings
from hypothesis import strategies as st
from queue_moves import Moves
from sqlalchemy import event, select

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.drafts import autosave
from instructglm.annotation.queue.leases import give_back, remove_person
from instructglm.annotation.queue.rounds import add_new_instructions, close_round, list_rounds, need_more, open_round
from instructglm.annotation.queue.save import NotHeld, Saved
from instructglm.annotation.queue.tasks import Task, open_task
from instructglm.annotation.store import open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import Settings
from instructglm.annotation.store.tables import Assignment, Item
from instructglm.annotation.store.verify import verify
from instructglm.core.errors import DataError


def places(team) -> list[tuple[int, int]]:
    with team.store.read() as connection:
        return [(row.needed, row.taken) for row in connection.execute(select(Item.needed, Item.taken))]


def test_every_item_goes_to_k_people_and_nobody_meets_one_twice(team) -> None:
    team = team(7, 4, settings=Settings(annotators_per_item=3, gold_share=0))
    met: dict[int, list[int]] = {person: [] for person in team.people}
    while tasks := [(person, next_task(team.store, team.project, person)) for person in team.people]:
        tasks = [(person, task) for person, task in tasks if isinstance(task, Task)]
        if not tasks:
            break
        for person, task in tasks:
            met[person].append(task.instruction)
            team.say(person, task, rate(task, 3))
    assert Counter(Counter(one for seen in met.values() for one in seen).values()) == {3: 7}
    assert all(len(set(seen)) == len(seen) for seen in met.values())
    assert sorted(map(len, met.values())) in ([5, 5, 5, 6], [4, 5, 6, 6])
    assert [team.idle(person) for person in team.people] == ["everything is done"] * 4


def test_domains_have_their_own_number_and_are_mixed(team) -> None:
    team = team(
        40,
        3,
        settings=Settings(annotators_per_item=1, annotators_per_domain={"law": 3}, gold_share=0),
        domains=("law", "medicine"),
    )
    assert Counter(needed for needed, _ in places(team)) == {3: 20, 1: 20}
    domains = []
    for _ in range(10):
        task = team.take(team.people[0])
        domains.append(task.domain)
        team.say(team.people[0], task, rate(task, 3))
    assert Counter(domains) == {"law": 5, "medicine": 5}


def test_one_gets_the_item_in_ones_hands_again_and_nobody_else_gets_it(team) -> None:
    team = team(1, 2, settings=Settings(annotators_per_item=1, gold_share=0))
    ann, bo = team.people
    task = team.take(ann)
    assert team.take(ann) == task
    assert team.idle(bo) == "others hold the rest"


def test_a_lease_ends_with_silence_and_is_kept_by_signs_of_life(team, clock) -> None:
    team = team(1, 2, settings=Settings(annotators_per_item=1, gold_share=0, lease_s=60))
    ann, bo = team.people
    task = team.take(ann)
    for version in range(1, 4):
        clock.advance(59)
        assert autosave(team.store, ann, task.assignment, {"text": "so far"}, version).is_held
        assert team.idle(bo) == "others hold the rest"
    clock.advance(60)
    taken = team.take(bo)
    assert taken.instruction == task.instruction
    late = team.say(ann, task, rate(task, 4))
    assert isinstance(late, NotHeld)
    assert "found its annotators" in late.reason
    assert isinstance(team.say(bo, taken, rate(taken, 2)), Saved)
    assert not autosave(team.store, ann, task.assignment, {"text": "more"}, 9).is_held
    assert places(team) == [(1, 1)]


def test_who_comes_back_late_saves_all_the_same_while_a_place_is_free(team, clock) -> None:
    team = team(1, 2, settings=Settings(annotators_per_item=1, gold_share=0, lease_s=60))
    ann, bo = team.people
    task = team.take(ann)
    clock.advance(3600)
    other = team.take(bo)
    give_back(team.store, bo, other.assignment)
    assert isinstance(team.say(ann, task, rate(task, 4)), Saved)
    assert team.idle(bo) == "everything is done"
    assert places(team) == [(1, 1)]


def test_a_clock_that_goes_back_neither_holds_a_lease_for_ever_nor_breaks_the_log(team, clock) -> None:
    team = team(2, 2, settings=Settings(annotators_per_item=1, gold_share=0, lease_s=60))
    ann, bo = team.people
    first = team.take(ann)
    team.say(ann, first, rate(first, 4))
    held = team.take(ann)
    clock.advance(-24 * 3600)
    taken = team.take(bo)
    assert taken.instruction == held.instruction
    saved = team.say(bo, taken, rate(taken, 2))
    assert isinstance(saved, Saved)
    assert verify(team.store).broken is None


def test_an_item_given_back_is_met_again_by_those_who_passed_it(team) -> None:
    team = team(3, 2, settings=Settings(annotators_per_item=1, gold_share=0))
    ann, bo = team.people
    first = team.take(ann)
    for _ in range(2):
        task = team.take(bo)
        team.say(bo, task, rate(task, 3))
    assert team.idle(bo) == "others hold the rest"
    give_back(team.store, ann, first.assignment)
    assert team.take(bo).instruction == first.instruction


def test_a_skipped_item_goes_to_somebody_else(team) -> None:
    team = team(1, 2, settings=Settings(annotators_per_item=1, gold_share=0))
    ann, bo = team.people
    task = team.take(ann)
    assert isinstance(team.say(ann, task, Answer(skip="not my field")), Saved)
    assert team.idle(ann) == "the rest is for others"
    again = team.take(bo)
    assert isinstance(team.say(bo, again, rate(again, 5)), Saved)
    changed = open_task(team.store, ann, task.assignment)
    assert changed.answer == Answer(skip="not my field")
    assert isinstance(team.say(ann, changed, rate(changed, 1)), NotHeld)
    assert places(team) == [(1, 1)]


def test_somebody_removed_in_the_middle_leaves_work_and_gives_the_item_back(team) -> None:
    team = team(2, 2, settings=Settings(annotators_per_item=1, gold_share=0))
    ann, bo = team.people
    done = team.take(ann)
    team.say(ann, done, rate(done, 4))
    held = team.take(ann)
    remove_person(team.store, ann)
    late = team.say(ann, held, rate(held, 4))
    assert isinstance(late, NotHeld)
    assert late.reason == "this person was removed"
    with pytest.raises(DataError, match="this person was removed"):
        next_task(team.store, team.project, ann)
    assert team.take(bo).instruction == held.instruction
    assert places(team) == [(1, 1), (1, 1)]


def test_more_annotators_are_found_for_items_that_need_them(team) -> None:
    team = team(2, 3, settings=Settings(annotators_per_item=1, gold_share=0))
    for _ in range(2):
        task = team.take(team.people[0])
        team.say(team.people[0], task, rate(task, 3))
    assert team.idle(team.people[1]) == "everything is done"
    need_more(team.store, team.project, [task.instruction])
    assert team.idle(team.people[0]) == "the rest is for others"
    assert team.take(team.people[1]).instruction == task.instruction


def test_what_is_imported_later_joins_the_open_round(team) -> None:
    team = team(1, 1, settings=Settings(annotators_per_item=1, gold_share=0))
    task = team.take(team.people[0])
    team.say(team.people[0], task, rate(task, 3))
    import_records(team.store, team.project, items(4))
    assert team.idle(team.people[0]) == "everything is done"
    assert add_new_instructions(team.store, team.project) == 3
    assert add_new_instructions(team.store, team.project) == 0
    assert team.take(team.people[0]).instruction != task.instruction


def test_a_round_that_is_closed_gives_nothing_out_and_lets_people_finish(team) -> None:
    team = team(3, 2)
    ann, bo = team.people
    done, held = team.take(ann), team.take(bo)
    team.say(ann, done, rate(done, 1))
    close_round(team.store, team.project)
    assert team.idle(ann) == "no round is open"
    assert isinstance(team.say(bo, held, rate(held, 5)), Saved)
    changed = team.say(ann, done, rate(done, 2), based_on=1)
    assert isinstance(changed, NotHeld)
    assert changed.reason == "round 1 is closed"
    with pytest.raises(DataError, match="round 1 is closed"):
        open_task(team.store, ann, done.assignment)
    assert [one.is_open for one in list_rounds(team.store, team.project)] == [False]


def test_a_round_of_nothing_is_refused(team) -> None:
    team = team(2, 1)
    with pytest.raises(DataError, match="there is no item for this round"):
        open_round(team.store, team.project, instructions=[])
    with pytest.raises(DataError, match="instruction 998, 999: gold, withdrawn, or not of this project"):
        open_round(team.store, team.project, instructions=[1, 998, 999])
    with pytest.raises(DataError, match="instruction 999 is not in this round"):
        need_more(team.store, team.project, [1, 999])
    assert places(team) == [(2, 0), (2, 0)]
    assert [one.is_open for one in list_rounds(team.store, team.project)] == [True]


def test_the_order_of_outputs_is_each_persons_own_and_stored(team) -> None:
    team = team(1, 8, settings=Settings(annotators_per_item=8, gold_share=0), outputs=6)
    orders = {person: tuple(output.id for output in team.take(person).outputs) for person in team.people}
    assert len(set(orders.values())) > 4
    with team.store.read() as connection:
        rows = connection.execute(select(Assignment.person, Assignment.shown))
        assert {row.person: tuple(row.shown) for row in rows} == orders


def test_no_question_of_the_queue_walks_through_a_table(team) -> None:
    team = team(20, 2, settings=Settings(annotators_per_item=2, gold_share=0.5))
    if team.store.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by the sizes of its tables: see benchmarks/annotation_store.py")
    asked: list[tuple[str, tuple]] = []
    event.listen(team.store.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    task = team.take(team.people[0])
    autosave(team.store, team.people[0], task.assignment, {}, 1)
    team.say(team.people[0], task, Answer(label="yes", written=("Because.",)))
    team.say(team.people[0], team.take(team.people[0]), Answer(skip=""))
    give_back(team.store, team.people[1], team.take(team.people[1]).assignment)
    plans = []
    with team.store.read() as connection:
        for statement, values in [one for one in asked if one[0].startswith(("SELECT", "UPDATE", "DELETE"))]:
            plans += connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert len(plans) > 40
    assert any("ix_items_waiting (round=? AND position>?)" in row.detail for row in plans)
    walks = {row.detail for row in plans if row.detail.startswith("SCAN")}
    gold = {"SCAN gold_answers", "SCAN gold_answers USING COVERING INDEX ix_gold_answers_instruction"}
    assert walks <= {"SCAN events", *gold}  # the log from its end, for one row; gold items are few


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_whatever_people_do_places_are_counted_right(tmp_path_factory, data) -> None:
    """Random moves on SQLite, from a model of what may happen: leases, silences, skips, changes, removals."""
    with open_store(tmp_path_factory.mktemp("moves") / "annotations.db", create=True) as store:
        moves = Moves(store, num_items=4, k=2, num_people=3)
        for _ in range(data.draw(st.integers(5, 30))):
            moves.make(data.draw(st.sampled_from(moves.NAMES)), data.draw(st.integers(0, 2)))
            moves.check()
