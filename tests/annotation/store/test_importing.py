"""Importing: all of it, or all but what is named; nothing twice; everything as it was."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructglm.annotation.store import open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.reading import instructions, outputs
from instructglm.annotation.store.verify import verify
from instructglm.core.errors import DataError

GOOD = {
    "instruction": "Is this lawful?",
    "input": "He parked on the pavement.",
    "outputs": ["No.", {"text": "It depends.", "model": "chatglm-6b"}],
    "task": "law/parking",
    "domain": "law",
    "complexity": 2,
    "language": "en",
    "source": "by hand",
    "licence": "CC0-1.0",
    "choices": ["yes", "no"],
    "extra": {"page": 3},
}


def lines(*values):
    return [(f"raw.jsonl:{number}", value) for number, value in enumerate(values, start=1)]


@pytest.fixture
def project(store) -> int:
    return create_project(store, "law")


def test_an_instruction_keeps_all_that_is_known_of_it(store, project: int) -> None:
    done = import_records(store, project, lines(GOOD))
    assert (done.num_instructions, done.num_outputs, done.num_known, done.faults) == (1, 2, 0, ())
    (one,) = instructions(store, project)
    assert one.messages == [{"role": "user", "content": "Is this lawful?\n\nHe parked on the pavement."}]
    assert (one.task, one.domain, one.complexity, one.language) == ("law/parking", "law", "2", "en")
    assert (one.source, one.licence, one.choices, one.extra) == ("by hand", "CC0-1.0", ["yes", "no"], {"page": 3})
    first, second = outputs(store, project)
    assert (first.text, first.origin, first.model) == ("No.", "imported", "")
    assert (second.text, second.origin, second.model) == ("It depends.", "model", "chatglm-6b")


def test_the_same_again_adds_only_what_is_new(store, project: int) -> None:
    import_records(store, project, lines(GOOD))
    again = import_records(store, project, lines(GOOD, {**GOOD, "outputs": ["Yes.", "No."]}))
    assert (again.num_instructions, again.num_outputs, again.num_known) == (0, 1, 1)
    assert [one.text for one in outputs(store, project)] == ["No.", "It depends.", "Yes."]
    events = verify(store).num_events
    import_records(store, project, lines(GOOD))
    assert verify(store).num_events == events


def test_alpaca_files_are_understood(store, project: int) -> None:
    records = [{"instruction": "a", "input": "", "output": "x"}, {"instruction": "b", "output": ["y", "z"]}]
    import_records(store, project, lines(*records, {"instruction": "c", "output": ""}))
    assert [(one.instruction, one.text) for one in outputs(store, project)] == [(1, "x"), (2, "y"), (2, "z")]


def test_records_of_one_prompt_are_counted_and_their_differences_told(store, project: int) -> None:
    other = {**GOOD, "outputs": ["Perhaps."], "licence": "", "choices": ["no", "yes"]}
    done = import_records(store, project, lines(GOOD, GOOD, other))
    assert (done.num_instructions, done.num_outputs, done.num_known, done.num_repeated) == (1, 3, 0, 2)
    assert [str(fault) for fault in done.differing] == [
        "raw.jsonl:3: licence: found ''; expected 'CC0-1.0', as the first of this prompt says",
        "raw.jsonl:3: choices: found ('no', 'yes'); expected ('yes', 'no'), as the first of this prompt says",
    ]
    (one,) = instructions(store, project)
    assert (one.licence, one.choices) == ("CC0-1.0", ["yes", "no"])


def test_null_and_empty_cells_say_nothing_and_cells_may_hold_json(store, project: int) -> None:
    empty = {name: None for name in GOOD if name != "instruction"}
    cells = {"instruction": "b", "outputs": '["x", {"text": "y", "model": "m"}]', "choices": '["yes", "no"]'}
    cells |= {"extra": '{"page": 3}', "domain": ""}
    blank = {"instruction": "c", "outputs": "", "choices": " ", "extra": ""}
    import_records(store, project, lines({**empty, "instruction": "a", "output": None}, cells, blank))
    first, second, third = instructions(store, project)
    assert [(one.choices, one.extra) for one in (first, third)] == [([], {})] * 2
    assert (second.choices, second.extra) == (["yes", "no"], {"page": 3})
    assert [(one.instruction, one.text, one.model) for one in outputs(store, project)] == [(2, "x", ""), (2, "y", "m")]
    with pytest.raises(
        DataError, match=r"raw\.jsonl:1: choices: found 'yes, no'; expected Input should be a valid tuple"
    ):
        import_records(store, project, lines({"instruction": "d", "choices": "yes, no"}))


BAD = {"instruction": "", "outputs": [""], "domian": "law"}


def test_a_bad_record_in_the_middle_is_named_and_nothing_is_imported(store, project: int) -> None:
    with pytest.raises(DataError) as refused:
        import_records(store, project, lines(GOOD, BAD, "text", {**GOOD, "instruction": "Another?"}))
    assert refused.value.faults == (
        "raw.jsonl:2: outputs.0.text: found ''; expected String should have at least 1 character",
        "raw.jsonl:2: domian: found 'law'; expected a known field",
        "raw.jsonl:3: record: found 'text'; expected Input should be a valid dictionary or instance of NewInstruction",
    )
    assert "Nothing was imported" in refused.value.hint
    assert list(instructions(store, project)) == []


def test_or_everything_else_is(store, project: int) -> None:
    records = lines(GOOD, BAD, {**GOOD, "instruction": "Another?"})
    done = import_records(store, project, records, faulty="leave out")
    assert (done.num_instructions, {fault.row for fault in done.faults}) == (2, {"raw.jsonl:2"})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"outputs": ["x"]}, "either instruction or messages"),
        ({"instruction": "a", "messages": [{"role": "user", "content": "b"}]}, "either instruction or messages"),
        ({"messages": [{"role": "assistant", "content": "b"}]}, "messages that end with the user's"),
        ({"instruction": "lone \ud800"}, "half a character"),
        ({"instruction": "a", "outputs": ["lone \ud800"]}, "half a character|a unicode string"),
    ],
)
def test_what_is_no_prompt_is_refused(store, project: int, value, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        import_records(store, project, lines(value))


def test_many_faults_are_told_in_a_few_lines(store, project: int) -> None:
    with pytest.raises(DataError) as refused:
        import_records(store, project, lines(*[{"instruction": ""}] * 50))
    assert len(refused.value.faults) == 21
    assert refused.value.faults[-1] == "and 30 more"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS, min_size=1, max_size=4, unique=True))
def test_every_text_comes_back_as_it_is(tmp_path_factory, empty_postgres, texts: list[str]) -> None:
    messages = [{"role": "user", "content": text} for text in texts]
    record = {"messages": messages, "outputs": texts, "domain": texts[0], "extra": {texts[0]: texts}}
    for place in (str(tmp_path_factory.mktemp("texts") / "annotations.db"), empty_postgres()):
        with open_store(place, create=True) as store:
            project = create_project(store, texts[0])
            import_records(store, project, [("1", record)])
            (one,) = instructions(store, project)
            assert [message["content"] for message in one.messages] == texts
            assert (one.domain, one.extra) == (texts[0], {texts[0]: texts})
            assert [output.text for output in outputs(store, project)] == texts
            assert verify(store).broken is None


def test_a_text_of_a_megabyte_is_stored(store, project: int) -> None:
    long = "长" * 1_000_000
    import_records(store, project, lines({"instruction": "Sum up.", "outputs": [long]}))
    assert next(outputs(store, project)).text == long
