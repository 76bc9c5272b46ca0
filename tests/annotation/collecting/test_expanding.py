"""Proposals from a real server: nothing asked twice, nothing lost, every piece accounted for; on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from chat_server import ChatServer, fail, say, serving
from tiny_runs import Told

from instructglm.annotation.collecting.endpoint import open_endpoint
from instructglm.annotation.collecting.expanding import expand
from instructglm.annotation.collecting.expansions import Wish, accounts
from instructglm.annotation.collecting.proposals import accept_proposal, list_proposals, reject_proposal
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store import Store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.reading import instructions
from instructglm.annotation.store.tables import Role
from instructglm.annotation.store.verify import verify
from instructglm.annotation.store.withdrawing import withdraw_instructions
from instructglm.core.errors import ConfigError, DataError, RunError

SEEDS = ("Is parking on a pavement lawful?", "这份合同有效吗？", "Name three duties of a tenant.", "x" * 2_000)


@pytest.fixture(autouse=True)
def _straight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def project(store: Store) -> int:
    number = create_project(store, "law")
    records = [{"instruction": text, "domain": "law", "language": "zh" if "这" in text else "en"} for text in SEEDS]
    import_records(store, number, [(str(place), record) for place, record in enumerate(records)])
    return number


def lines(*texts: str) -> str:
    return "\n".join(json.dumps({"instruction": text, "input": ""}, ensure_ascii=False) for text in texts)


def fresh() -> Iterator[str]:
    """Texts that are nothing like each other."""
    return (f"{word} {chr(0x4E00 + 97 * place)}{chr(0x5E00 + 89 * place)}" for place, word in enumerate(WORDS))


WORDS = ("apple", "brick", "cloud", "dwarf", "eight", "frost", "giant", "honey", "ivory", "jumbo", "knife", "lemon")


def go(store: Store, project: int, server: ChatServer, **wish):
    told = Told()
    ask = open_endpoint(server.url, "glm", told, sleep=lambda _: None, num_tries=2)
    return expand(store, project, Wish(model="glm", **wish), ask, told), told.lines


def test_replies_become_proposals_with_an_account_of_all_the_rest(store: Store, project: int) -> None:
    reply = lines("Draft a will.", "is parking on a pavement lawful", "draft a will!", "解释什么是抵押。") + "\nSure!"
    with serving(say(reply), say(lines("List four courts."))) as server:
        done, _ = go(store, project, server, num=3, domain="law", complexity="hard")
    assert (done.num_kept, done.num_replies, done.is_whole) == (3, 2, True)
    assert done.dropped == {"near_duplicate": 2, "not_json": 1}
    assert (done.num_prompt_tokens, done.num_tokens) == (600, 80)
    first, second = accounts(store, project)
    assert [(one.text, one.like, one.similarity) for one in first.dropped if one.like] == [
        ("is parking on a pavement lawful", SEEDS[0], 1.0),
        ("draft a will!", "Draft a will.", 1.0),
    ]
    assert [one.text for one in first.dropped if not one.like] == ["Sure!"]
    assert second.dropped == ()
    found = list_proposals(store, project)
    assert [one.record.instruction for one in found] == ["Draft a will.", "解释什么是抵押。", "List four courts."]
    assert {(one.record.domain, one.record.complexity, one.state) for one in found} == {("law", "hard", "waiting")}
    assert verify(store).broken is None


def test_examples_are_the_peoples_own_of_the_wished_language_and_not_long(store: Store, project: int) -> None:
    with serving(say(lines("Draft a will.")), say(lines("解释什么是抵押。"))) as server:
        go(store, project, server, num=1)
        go(store, project, server, num=1, language="zh")
    english, chinese = (one["messages"][0]["content"] for one in server.asked)
    assert all(text in english for text in (SEEDS[0], SEEDS[2]))
    assert not any(text in english for text in (SEEDS[1], SEEDS[3]))
    assert SEEDS[1] in chinese
    assert "指令" in chinese
    assert [set(one.examples) for one in accounts(store, project)][:2] == [{1, 3}, {2}]


def test_an_interrupted_expansion_goes_on_and_pays_for_nothing_twice(store: Store, project: int) -> None:
    texts = list(fresh())
    answers = (say(lines(*texts[:3])), say(lines(*texts[3:5])), fail(503), fail(503))
    with serving(*answers) as server, pytest.raises(RunError, match="503"):
        go(store, project, server, num=8)
    assert [one.record.instruction for one in list_proposals(store, project)] == texts[:5]
    first = [one["seed"] for one in server.asked]
    with serving(say(lines(*texts[5:9]))) as server:
        done, _ = go(store, project, server, num=8)
    assert len(server.asked) == 1
    assert server.asked[0]["seed"] == first[2] == first[3]
    assert server.asked[0]["seed"] not in first[:2]
    assert (done.num_kept, done.num_replies, done.num_tokens) == (9, 3, 120)
    with serving(say(lines(*texts[9:]))) as server:
        assert go(store, project, server, num=8)[0] == done
        assert server.asked == []
        assert go(store, project, server, num=12)[0].num_kept == 12
        assert len(server.asked) == 1


def test_a_model_that_repeats_itself_is_not_asked_for_ever(store: Store, project: int) -> None:
    with serving(say(lines("Draft a will.")), say("{broken"), say(lines("Draft a will."))) as server:
        done, told = go(store, project, server, num=10)
        assert len(server.asked) == 6
        assert "5 replies in a row" in told[-1]
        assert (done.num_kept, done.is_whole, done.dropped) == (1, False, {"near_duplicate": 4, "not_json": 1})
        go(store, project, server, num=10)
    assert len(server.asked) == 11


def test_a_cut_reply_keeps_what_is_whole(store: Store, project: int) -> None:
    text = lines("Draft a will.", "List four courts.")
    with serving(say(text[:-5], finish_reason="length"), say(lines("Name a judge."))) as server:
        done, _ = go(store, project, server, num=2)
    assert (done.num_kept, done.dropped) == (2, {"cut_off": 1})


def test_nobody_is_given_a_proposal_before_it_is_accepted(store: Store, project: int) -> None:
    ann = add_person(store, "Ann", Role.REVIEWER)
    with serving(say(lines("Draft a will.", "List four courts.", "Name a judge."))) as server:
        go(store, project, server, num=3, domain="law")
    assert len(list(instructions(store, project))) == len(SEEDS)
    made = accept_proposal(store, 1, ann, "fits")
    edited = accept_proposal(store, 2, ann, edited={"instruction": "List five courts.", "complexity": "hard"})
    reject_proposal(store, 3, ann, "too vague")
    new = list(instructions(store, project))[len(SEEDS) :]
    assert [(one.id, one.messages[0]["content"], one.complexity) for one in new] == [
        (made, "Draft a will.", ""),
        (edited, "List five courts.", "hard"),
    ]
    assert {one.source for one in new} == {"expanded by glm"}
    states = [(one.state, one.person, one.reason, one.instruction) for one in list_proposals(store, project)]
    assert states == [
        ("accepted", ann, "fits", made),
        ("accepted", ann, "", edited),
        ("rejected", ann, "too vague", None),
    ]
    assert [one.id for one in list_proposals(store, project, state="rejected")] == [3]
    assert [one.id for one in list_proposals(store, project, after=1, limit=1)] == [2]
    assert list_proposals(store, project, state="waiting") == ()
    with serving(say(lines("Say who heads a company."))) as server:
        go(store, project, server, num=1, seed=3)
    assert "Draft a will." not in server.asked[0]["messages"][0]["content"]  # people wrote other examples
    open_round(store, project, instructions=[made])
    assert next_task(store, project, ann).messages[0].content == "Draft a will."
    assert verify(store).broken is None


def test_what_was_rejected_is_not_proposed_again(store: Store, project: int) -> None:
    ann = add_person(store, "Ann", Role.REVIEWER)
    with serving(say(lines("Draft a will.")), say(lines("draft a WILL", "Name a judge."))) as server:
        go(store, project, server, num=1)
        reject_proposal(store, 1, ann, "no")
        done, _ = go(store, project, server, num=2)
    assert done.dropped == {"near_duplicate": 1}
    assert [one.record.instruction for one in list_proposals(store, project, state="waiting")] == ["Name a judge."]


def test_decisions_that_cannot_be_are_refused_and_change_nothing(store: Store, project: int) -> None:
    ann = add_person(store, "Ann", Role.REVIEWER)
    with serving(say(lines("Draft a will.", "List four courts."))) as server:
        go(store, project, server, num=2)
    before = verify(store).num_events
    with pytest.raises(DataError, match="no proposal 9"):
        accept_proposal(store, 9, ann)
    with pytest.raises(DataError, match=r"instruction or messages"):
        accept_proposal(store, 1, ann, edited={"instruction": " "})
    with pytest.raises(DataError, match="there is nobody"):
        reject_proposal(store, 1, 77, "no")
    withdraw_instructions(store, project, [1], "a repeat")
    with pytest.raises(DataError, match="was withdrawn"):
        accept_proposal(store, 1, ann, edited={"instruction": SEEDS[0]})
    assert verify(store).num_events == before + 1
    accept_proposal(store, 1, ann)
    with pytest.raises(DataError, match="was accepted before"):
        reject_proposal(store, 1, ann, "no")
    assert accept_proposal(store, 2, ann, edited={"instruction": SEEDS[2]}) == 3  # it is there: nothing is doubled


@pytest.mark.parametrize(
    "text", ["a\0b c", "\u202eevil\u202c", "<script>alert(1)</script>", "{{ 7*7 }} {num}", "字" * 3_999]
)
def test_hostile_proposals_are_kept_as_they_are(store: Store, project: int, text: str) -> None:
    ann = add_person(store, "Ann", Role.REVIEWER)
    with serving(say(lines(text))) as server:
        go(store, project, server, num=1)
        go(store, project, server, num=1, seed=1, num_per_reply=2)  # with it among what is compared
    assert list_proposals(store, project)[0].record.instruction == text
    made = accept_proposal(store, 1, ann)
    assert list(instructions(store, project))[-1].messages[0]["content"] == text
    assert made == len(SEEDS) + 1


def test_what_cannot_be_wished_is_told(store: Store, project: int) -> None:
    with pytest.raises(ConfigError, match="unknown language 'fr'"):
        expand(store, project, Wish(model="m", language="fr"), None, Told())
    with pytest.raises(DataError, match="no instruction of at most 1,000 characters"):
        expand(store, create_project(store, "empty"), Wish(model="m"), None, Told())
    with pytest.raises(DataError, match="there is no project 9"):
        expand(store, 9, Wish(model="m"), None, Told())
