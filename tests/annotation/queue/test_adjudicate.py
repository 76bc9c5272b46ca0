"""Adjudication: all outputs, no names; who, when, why, from what; and nothing overtaken is overwritten."""

import pytest
from annotation_team import rate
from sqlalchemy import select

from instructglm.annotation.queue.adjudicate import Decided, Overtaken, Verdict, decide, open_case, undecided
from instructglm.annotation.queue.answers import Answer, Edit
from instructglm.annotation.queue.docket import decided_cases, gists, num_decided, waiting_cases
from instructglm.annotation.queue.flags import flag_case, open_flags
from instructglm.annotation.queue.rounds import close_round, open_round
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings
from instructglm.annotation.store.tables import Decision, Output, Role
from instructglm.annotation.store.verify import verify
from instructglm.core.errors import DataError


@pytest.fixture
def disputed(team):
    """One item of which two people said different things, and two reviewers."""
    team = team(1, 2, settings=Settings(annotators_per_item=2, gold_share=0))
    for person, label in zip(team.people, ("yes", "no"), strict=True):
        task = team.take(person)
        written = (f"{label}, because",)
        team.say(person, task, Answer(label=label, written=written, ratings=rate(task, 3).ratings))
    reviewers = [add_person(team.store, f"Reviewer {one}", Role.REVIEWER) for one in range(2)]
    return team, task.instruction, reviewers


def test_a_reviewer_sees_everything_but_names(disputed) -> None:
    team, instruction, (first, second) = disputed
    assert list(undecided(team.store, team.project)) == [instruction]
    case = open_case(team.store, first, instruction)
    assert {output.text for output in case.outputs} >= {"yes, because", "no, because"}
    assert {voice.answer.label for voice in case.voices} == {"yes", "no"}
    assert "Person" not in case.model_dump_json()
    assert {output.id for output in open_case(team.store, second, instruction).outputs} == {
        output.id for output in case.outputs
    }


def test_a_verdict_is_stored_with_who_when_why_and_from_what(disputed, clock) -> None:
    team, instruction, (first, _) = disputed
    case = open_case(team.store, first, instruction)
    verdict = Verdict(accepted=(case.outputs[0].id,), label="yes", reason="Article 5 says so.")
    done = decide(team.store, first, case, verdict, key="a")
    assert isinstance(done, Decided)
    assert decide(team.store, first, case, verdict, key="a") == done.model_copy(update={"repeated": True})
    with team.store.read() as connection:
        row = connection.execute(select(Decision)).one()
    assert (row.person, row.at_ms, row.reason, row.seen) == (first, clock.now_ms, "Article 5 says so.", [1, 2])
    assert list(undecided(team.store, team.project)) == []
    assert open_case(team.store, first, instruction).verdict == verdict
    assert verify(team.store).broken is None


def test_two_reviewers_do_not_overwrite_each_other(disputed) -> None:
    team, instruction, (first, second) = disputed
    cases = [open_case(team.store, reviewer, instruction) for reviewer in (first, second)]
    yes, no = (Verdict(label=label, reason="clear") for label in ("yes", "no"))
    decide(team.store, first, cases[0], yes, key="a")
    late = decide(team.store, second, cases[1], no, key="b")
    assert late == Overtaken(stored=yes, stored_revision=1, sent=no, num_new_answers=0)
    again = decide(team.store, second, open_case(team.store, second, instruction), no, key="c")
    assert isinstance(again, Decided)
    assert again.revision == 2


def test_answers_that_came_meanwhile_are_to_be_seen_first(disputed) -> None:
    team, instruction, (first, _) = disputed
    case = open_case(team.store, first, instruction)
    open_round(team.store, team.project)
    task = team.take(team.people[0])
    team.say(team.people[0], task, Answer(label="no"))
    late = decide(team.store, first, case, Verdict(label="yes", reason="clear"), key="a")
    assert isinstance(late, Overtaken)
    assert late.num_new_answers == 1


def test_a_lease_that_ended_in_a_closed_round_holds_no_item_up(disputed, clock) -> None:
    team, instruction, _ = disputed
    open_round(team.store, team.project)
    team.take(team.people[0])
    assert list(undecided(team.store, team.project)) == []
    close_round(team.store, team.project)
    clock.advance(900)
    assert list(undecided(team.store, team.project)) == [instruction]


def test_an_item_with_an_answer_missing_is_not_before_a_reviewer(team, clock) -> None:
    team = team(1, 2, settings=Settings(annotators_per_item=2, gold_share=0))
    first, second = (team.take(person) for person in team.people)
    team.say(team.people[0], first, Answer(label="yes"))
    clock.advance(900)
    assert list(undecided(team.store, team.project)) == []
    team.say(team.people[1], second, Answer(label="no"))
    assert list(undecided(team.store, team.project)) == [1]


def test_a_key_of_one_item_decides_nothing_for_another(team) -> None:
    team = team(2, 1, settings=Settings(annotators_per_item=1, gold_share=0))
    reviewer = add_person(team.store, "Reviewer", Role.REVIEWER)
    verdict = Verdict(label="yes", reason="clear")
    cases = [open_case(team.store, reviewer, instruction) for instruction in (1, 2)]
    decide(team.store, reviewer, cases[0], verdict, key="a")
    with pytest.raises(DataError, match="this key was used for another verdict"):
        decide(team.store, reviewer, cases[1], verdict, key="a")
    with pytest.raises(DataError, match="there is no instruction 99"):
        decide(team.store, reviewer, cases[1].model_copy(update={"instruction": 99}), verdict, key="b")


def test_only_reviewers_decide_and_only_on_what_is_there(disputed) -> None:
    team, instruction, (first, _) = disputed
    with pytest.raises(DataError, match="Person 0 may not decide"):
        open_case(team.store, team.people[0], instruction)
    case = open_case(team.store, first, instruction)
    with pytest.raises(DataError) as refused:
        decide(team.store, first, case, Verdict(accepted=(99,), label="perhaps", reason="?"), key="a")
    assert refused.value.faults == (
        "output 99: not one of this item's",
        "label: found 'perhaps'; expected one of yes, no",
    )
    with pytest.raises(DataError, match="there is no instruction 99"):
        open_case(team.store, first, 99)


def test_a_reviewers_own_texts_become_accepted_outputs_in_the_same_event(disputed) -> None:
    team, instruction, (first, second) = disputed
    case = open_case(team.store, first, instruction)
    chosen, changed = case.outputs[0].id, case.outputs[1].id
    edit = Edit(output=changed, text="Better.")
    verdict = Verdict(accepted=(chosen,), written=("Best.",), edits=(edit,), reason="Neither was right.")
    done = decide(team.store, first, case, verdict, key="a")
    assert isinstance(done, Decided)
    assert decide(team.store, first, case, verdict, key="a") == done.model_copy(update={"repeated": True})
    with team.store.read() as connection:
        rows = connection.execute(select(Output).where(Output.event == done.event).order_by(Output.id)).all()
    assert [(row.text, row.edited_from, row.origin, row.person, row.round) for row in rows] == [
        ("Best.", None, "person", first, None),
        ("Better.", changed, "person", first, None),
    ]
    seen = open_case(team.store, second, instruction)
    assert seen.verdict == Verdict(accepted=(chosen, *(row.id for row in rows)), reason="Neither was right.")
    assert {"Best.", "Better."} <= {output.text for output in seen.outputs}
    assert verify(team.store).broken is None


def test_what_is_there_already_is_accepted_not_written_again(disputed) -> None:
    team, instruction, (first, _) = disputed
    case = open_case(team.store, first, instruction)
    one, other = case.outputs[:2]
    edits = (Edit(output=one.id, text=one.text), Edit(output=99, text="x"))
    with pytest.raises(DataError) as refused:
        decide(team.store, first, case, Verdict(written=(other.text,), edits=edits, reason="?"), key="a")
    assert refused.value.faults == (
        "output 99: not one of this item's",
        f"output {one.id}: edited into what it was; expected a change, or to accept it as it is",
        f"output {other.id} is this very text already; expected to accept it as it is",
    )
    assert open_case(team.store, first, instruction).revision == 0


@pytest.mark.parametrize(
    "said",
    [
        {"written": (" ",)},
        {"written": ("a", "a")},
        {"written": ("\ud800",)},
        {"edits": ({"output": 1, "text": "a"}, {"output": 1, "text": "b"})},
    ],
)
def test_a_text_of_ones_own_is_whole_and_said_once(said) -> None:
    with pytest.raises(ValueError, match=r"empty|twice|half a character"):
        Verdict(reason="clear", **said)


def test_what_was_said_since_is_marked(disputed) -> None:
    team, instruction, (first, _) = disputed
    case = open_case(team.store, first, instruction)
    open_round(team.store, team.project)
    team.say(team.people[0], team.take(team.people[0]), Answer(label="no", comment="on second thoughts"))
    voices = open_case(team.store, first, instruction, since=case.seen_event).voices
    assert [voice.answer.comment for voice in voices if voice.is_new] == ["on second thoughts"]
    assert sum(not voice.is_new for voice in voices) == 2


def test_cases_are_listed_with_their_verdicts(disputed) -> None:
    team, instruction, (first, second) = disputed
    assert waiting_cases(team.store, team.project) == [(instruction, "law")]
    assert gists(team.store, [instruction, 99]) == {instruction: ("Question 0", 2)}
    assert (num_decided(team.store, team.project), decided_cases(team.store, team.project, most=9)) == (0, [])
    for reviewer, label in ((first, "yes"), (second, "no")):
        case = open_case(team.store, reviewer, instruction)
        decide(team.store, reviewer, case, Verdict(label=label, written=(label,), reason=f"so {label}"), key=label)
    (decided,) = decided_cases(team.store, team.project, most=9)
    assert decided[:7] == (instruction, "law", 1, "no", "so no", second, 2)
    assert decided_cases(team.store, team.project, most=9, domain="health") == []
    assert (num_decided(team.store, team.project), waiting_cases(team.store, team.project)) == (1, [])


def test_a_case_is_set_aside_until_it_is_decided(disputed) -> None:
    team, instruction, (first, second) = disputed
    assert open_flags(team.store, team.project) == ()
    event = flag_case(team.store, first, instruction, "Is this\0 lawful to ask?")
    (flag,) = open_flags(team.store, team.project)
    assert (flag.instruction, flag.reason, flag.event) == (instruction, "Is this\0 lawful to ask?", event)
    assert list(undecided(team.store, team.project)) == [instruction]
    case = open_case(team.store, second, instruction)
    decide(team.store, second, case, Verdict(reason="It is not."), key="a")
    assert open_flags(team.store, team.project) == ()
    flag_case(team.store, first, instruction, "still")
    assert [one.reason for one in open_flags(team.store, team.project)] == ["still"]
    assert verify(team.store).broken is None


def test_only_a_reviewer_sets_aside_and_says_why(disputed) -> None:
    team, instruction, (first, _) = disputed
    refused = ((team.people[0], instruction, "why", "may not decide"), (first, instruction, " ", "needs a reason"))
    for person, which, reason, told in (*refused, (first, 99, "why", "there is no instruction 99")):
        with pytest.raises(DataError, match=told):
            flag_case(team.store, person, which, reason)
    assert open_flags(team.store, team.project) == ()
