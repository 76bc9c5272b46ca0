"""Looking through instructions: every page once, found by what they hold, and fast where there are very many."""

import time

import pytest
from annotation_team import items

from instructglm.annotation.queue.gold import Gold, add_gold
from instructglm.annotation.store import browsing as module
from instructglm.annotation.store.browsing import Search, facets, find_instructions
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.one_instruction import see_instruction
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.reading import instructions, outputs
from instructglm.annotation.store.tables import Role
from instructglm.annotation.store.withdrawing import withdraw_instructions, withdraw_outputs

STRANGE = [
    'a "quoted" word',
    "100 % of _all_",
    "back\\slash",
    "zero \0 byte",
    "Äußerung",
    "多个输出",
    "two\nlines",
    "content",
]


@pytest.fixture
def project(store) -> int:
    create_project(store, "another")
    project = create_project(store, "law")
    import_records(store, 1, items(3))
    import_records(store, project, items(7, domains=("law", "medicine")))
    return project


def walk(store, project: int, limit: int, **search) -> list[int]:
    found, after = [], 0
    while after is not None:
        page = find_instructions(store, project, Search(**search), after=after, limit=limit)
        assert len(page.instructions) <= limit
        found += [one.id for one in page.instructions]
        after = page.next
    return found


@pytest.mark.parametrize("limit", [1, 3, 7, 8])
def test_every_instruction_stands_on_one_page(store, project, limit) -> None:
    known = [one.id for one in instructions(store, project)]
    assert walk(store, project, limit) == known
    assert walk(store, project, limit, domain="medicine") == known[1::2]
    assert walk(store, project, limit, language="zh") == []


def test_a_line_tells_what_stands_there(store, project) -> None:
    first = find_instructions(store, project, Search()).instructions[0]
    assert (first.text, first.domain, first.num_outputs) == ("Question 0", "law", 2)
    (gone, *_) = outputs(store, project)
    withdraw_outputs(store, project, [gone.id], "wrong")
    assert find_instructions(store, project, Search()).instructions[0].num_outputs == 1


@pytest.mark.parametrize("text", STRANGE)
def test_a_text_is_found_as_it_is_spelled(store, project, text) -> None:
    import_records(store, project, [("new", {"instruction": f"Before {text} after"})])
    (found,) = walk(store, project, 50, text=text)
    assert see_instruction(store, project, found).messages[-1].content == f"Before {text} after"
    assert not text.isascii() or walk(store, project, 50, text=text.upper()) == [found]


@pytest.mark.parametrize("text", ["%", "_", "role", "user", '":"', "\\"])
def test_what_only_the_spelling_of_the_store_holds_is_not_found(store, project, text) -> None:
    assert walk(store, project, 50, text=text) == []


def test_a_search_that_takes_long_tells_where_to_go_on(store, project, monkeypatch) -> None:
    monkeypatch.setattr(module, "_EXAMINED", 2)
    page = find_instructions(store, project, Search(text="role"))
    assert (page.instructions, page.next is not None) == ((), True)
    assert walk(store, project, 50, text="role") == []
    assert len(walk(store, project, 50, text="question")) == 7


def test_what_is_withdrawn_or_gold_is_found_as_such(store, project) -> None:
    first, second, *rest = walk(store, project, 50)
    withdraw_instructions(store, project, [first], "a copy")
    add_gold(store, project, [Gold(instruction=second, label="yes")])
    assert walk(store, project, 50) == [second, *rest]
    assert walk(store, project, 50, standing="withdrawn") == [first]
    assert walk(store, project, 50, standing="gold") == [second]
    assert facets(store, project).domain == (("law", 3), ("medicine", 3))


def test_an_instruction_is_seen_whole(store, project) -> None:
    ann = add_person(store, "Ann", Role.ADMIN)
    one = walk(store, project, 50)[0]
    before = see_instruction(store, project, one)
    assert [(output.text, output.origin, output.gone) for output in before.outputs] == [
        ("Answer 0.0", "imported", None),
        ("Answer 0.1", "imported", None),
    ]
    withdraw_outputs(store, project, [before.outputs[1].id], "wrong", person=ann)
    withdraw_instructions(store, project, [one], "a copy")
    withdraw_instructions(store, project, [one], "again")
    after = see_instruction(store, project, one)
    assert (after.gone.reason, after.gone.person) == ("a copy", None)
    assert after.outputs[0].gone is None
    assert (after.outputs[1].gone.reason, after.outputs[1].gone.person) == ("wrong", "Ann")
    assert see_instruction(store, 1, one) is None
    assert see_instruction(store, project, 10**9) is None


@pytest.mark.slow
def test_a_page_of_very_many_comes_at_once(store) -> None:
    project = create_project(store, "many")
    import_records(store, project, items(100_000, domains=tuple("abcdefgh"), outputs=1))
    last = max(one.id for one in instructions(store, project))
    for after, search in ((0, Search()), (last - 60, Search()), (last // 2, Search(domain="c"))):
        start = time.perf_counter()
        assert len(find_instructions(store, project, search, after=after).instructions) >= 5
        assert time.perf_counter() - start < 0.1
    for text in ("question 99999", "nowhere", "role"):
        start = time.perf_counter()
        find_instructions(store, project, Search(text=text))
        assert time.perf_counter() - start < 2
    start = time.perf_counter()
    assert len(facets(store, project).domain) == 8
    assert time.perf_counter() - start < 2
