"""Whatever is said, in whatever characters: our own form gives it all back, plain forms instructions and outputs."""

import pytest
from exchanged import content, rows_of, sent, taken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructglm.annotation.exchange.csv_table import neutral, plain
from instructglm.annotation.exchange.entries import Entry, GivenAnswer, GivenOutput, Said
from instructglm.annotation.exchange.own import FORMAT
from instructglm.annotation.store import open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.incoming import NewInstruction
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.verify import verify

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SOME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = st.sampled_from(["Ann", "王 伟", "annotator-1", "=1+1", "\u202eevil", "a\x00b"])
MS = st.integers(0, 2**42)


@st.composite
def entries(draw) -> Entry:
    """An instruction, up to four outputs (the last may be edits of the first), answers of some people."""
    turns = draw(st.lists(ANY, max_size=2))
    messages = [{"role": "system", "content": turn} for turn in turns]
    messages.append({"role": "user", "content": draw(ANY)})
    told = {name: draw(ANY) for name in ("task", "domain", "complexity", "language", "source", "licence")}
    extra = draw(st.dictionaries(ANY, st.none() | st.integers() | ANY | st.lists(ANY, max_size=2), max_size=2))
    held = NewInstruction.model_validate({"messages": messages, **told, "choices": draw(st.lists(ANY)), "extra": extra})
    outputs = tuple(GivenOutput(text, "imported", "") for text in draw(st.lists(SOME, max_size=2)))
    outputs += tuple(GivenOutput(text, "model", draw(SOME)) for text in draw(st.lists(SOME, max_size=1)))
    answers = []
    for person in draw(st.lists(NAMES, max_size=3, unique=True)):
        number = draw(st.integers(1, 2))
        written = draw(st.none() | SOME)
        edit = draw(st.none() | SOME) if outputs else None
        first = len(outputs)
        if written is not None:
            outputs += (GivenOutput(written, "person", "", person, number),)
        if edit is not None:
            outputs += (GivenOutput(edit, "person", "", person, number, 0),)
        said = Said.model_validate(
            {
                "written": [first] if written is not None else [],
                "edits": [len(outputs) - 1] if edit is not None else [],
                "ratings": [
                    {"output": place, "criterion": draw(ANY), "value": draw(st.floats(-9, 9))} for place in range(first)
                ],
                "ranks": [{"output": place, "rank": draw(st.integers(1, 9))} for place in range(first)],
                "rejected": [{"output": draw(st.sampled_from([None, *range(first)])), "reason": draw(SOME)}],
                "label": draw(st.none() | SOME),
                "flag": draw(st.none() | ANY),
                "comment": draw(st.none() | ANY),
            }
        )
        answers.append(GivenAnswer(person, said, number, None, draw(MS), draw(st.integers(0, 10**9))))
    return Entry("", held, outputs, tuple(answers))


def written(path, found: list[Entry]) -> None:
    from instructglm.annotation.exchange.format import Account, Leaving

    path.write_bytes(b"".join(FORMAT.write(Leaving("p", (), found, Account()))))


def compared(one: Entry) -> tuple:
    return one.held, one.outputs, set(one.answers)


def in_new_order(found: list[Entry]) -> list[Entry]:
    """With rounds as the store numbers them, from 1 without a gap."""
    numbers = sorted({answer.round for one in found for answer in one.answers})
    place = {number: at for at, number in enumerate(numbers, start=1)}
    return [
        one._replace(
            outputs=tuple(output._replace(round=place.get(output.round)) for output in one.outputs),
            answers=tuple(answer._replace(round=place[answer.round]) for answer in one.answers),
        )
        for one in found
    ]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(entries(), max_size=3, unique_by=lambda one: (one.held.task, one.held.messages)))
def test_our_own_form_loses_nothing(tmp_path_factory, empty_postgres, found: list[Entry]) -> None:
    folder = tmp_path_factory.mktemp("any")
    written(folder / "a.jsonl", found)
    for number, place in enumerate((str(folder / "annotations.db"), empty_postgres())):
        with open_store(place, create=True) as store:
            project = create_project(store, "p")
            done = taken(store, project, folder / "a.jsonl")
            assert (done.faults, done.leftovers, done.num_answers) == ((), (), sum(len(one.answers) for one in found))
            held = content(store, project)
            assert [*map(compared, held)] == [*map(compared, in_new_order(found))]
            sent(store, project, folder / f"{number}.jsonl", "own", names=True)
            other = create_project(store, "q")
            taken(store, other, folder / f"{number}.jsonl")
            assert [(one.held, len(one.outputs), len(one.answers)) for one in content(store, other)] == [
                (one.held, len(one.outputs), len(one.answers)) for one in held
            ]
            assert verify(store).broken is None


@settings(max_examples=200, deadline=None)
@given(cell=st.text())
def test_a_cell_is_never_a_formula_and_comes_back(cell: str) -> None:
    assert plain(neutral(cell)) == cell
    assert not neutral(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("format", ["csv", "alpaca"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(SOME.filter(lambda text: text.strip()), min_size=1, max_size=3, unique=True))
def test_plain_forms_give_back_instructions_and_outputs(tmp_path_factory, format: str, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("plain")
    with open_store(folder / "a.db", create=True) as store, open_store(folder / "b.db", create=True) as other:
        project, new = create_project(store, "p"), create_project(other, "p")
        records = [
            {"instruction": text, "outputs": [f"={text}", f"{text}\r\n", {"text": text, "model": "m"}], "domain": text}
            for text in texts
        ]
        import_records(store, project, [(str(place), one) for place, one in enumerate(records)])
        sent(store, project, folder / "file", format)
        done = taken(other, new, folder / "file")
        assert (done.formats, done.leftovers) == ({"file": format}, ())
        if format == "csv":
            assert content(other, new) == content(store, project)
        else:
            assert [one.held for one in content(other, new)] == [one.held for one in content(store, project)]


def test_texts_of_a_megabyte_and_empty_ones(store, tmp_path) -> None:
    long = "长" * 1_000_000
    said = Said(written=(0,), label="", flag="", comment=long)
    held = NewInstruction.model_validate({"messages": [{"role": "user", "content": ""}]})
    entry = Entry("", held, (GivenOutput(long, "person", "", "Ann", 1),), (GivenAnswer("Ann", said, 1, None, 0, 0),))
    written(tmp_path / "a.jsonl", [entry])
    project = create_project(store, "p")
    taken(store, project, tmp_path / "a.jsonl")
    assert [*map(compared, content(store, project))] == [compared(entry)]
    for format in ("label_studio", "argilla", "csv", "alpaca"):
        sent(store, project, tmp_path / format, format)
        assert len([*rows_of(tmp_path / format)]) >= 1
