import json
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.annotation.summary import summarise
from instructglm.config.data import RatingsSource
from instructglm.core.cache import cache_folder
from instructglm.core.errors import ConfigError, DataError
from instructglm.core.records import prompt_hash
from instructglm.data.formats.ratings import read_ratings
from instructglm.data.records import EmptyRow
from instructglm.data.sources import read_any

LABELS = {"negative": (-4.0, -0.5), "positive": (0.5, 4.0)}
PACKAGE = cache_folder() / "packages" / "vadersentiment-3.3.2-sdist" / "additional_resources"


def source(**changes):
    fields = {"format": "ratings", "path": "ratings.txt", "texts": "texts.txt", "labels": LABELS}
    return RatingsSource(**fields | changes)


@pytest.fixture
def read(tmp_path):
    """Write both tables and read them."""

    def read(ratings, texts, encoding="utf-8", **changes):
        (tmp_path / "ratings.txt").write_bytes(ratings.encode(encoding))
        (tmp_path / "texts.txt").write_bytes(texts.encode("utf-8"))
        return read_ratings(source(**changes), tmp_path)

    return read


def table(rows):
    """Both tables of these (id, text, ratings)."""
    ratings = [f"{item}\t{statistics.fmean(r):.9f}\t{statistics.pstdev(r):.5f}\t{json.dumps(r)}" for item, _, r in rows]
    texts = [f"{item}\t{statistics.fmean(r):.9f}\t{text}" for item, text, r in rows]
    return "\r\n".join([*ratings, ""]), "\r\n".join([*texts, ""])


def test_a_rated_text_becomes_an_example(read):
    found = read(
        *table([("1_2", "I liked it &amp; more.", [1, 2, 3])]),
        encoding="utf-8-sig",
        instruction="Good or bad?",
        system="Judge.",
        task="mood",
        document_id=r"^(\d+)_",
    )
    [example] = found.examples
    assert [message.content for message in example.messages] == ["Judge.", "Good or bad?\n\nI liked it &amp; more."]
    assert (example.references, example.choices) == (("positive",), ("negative", "positive"))
    assert [(rating.annotator, rating.value) for rating in example.ratings] == [
        ("rater-01", 1.0),
        ("rater-02", 2.0),
        ("rater-03", 3.0),
    ]
    assert example.metadata == {"item": "1_2", "mean": 2.0, "std": pytest.approx((2 / 3) ** 0.5)}
    assert (example.row, example.task, found.task, found.num_rows) == ("ratings.txt:1", "mood", "mood", 1)
    assert [table.shown for table in found.tables] == ["ratings.txt", "texts.txt"]


def test_texts_between_the_labels_are_left_out_by_name_and_still_count_as_rated(read):
    found = read(*table([("1", "bad", [-2, -2]), ("2", "torn", [-3, 3]), ("3", "fine", [4, 1])]))
    assert [example.references for example in found.examples] == [("negative",), ("positive",)]
    [entry] = found.ledger
    assert (entry.row, entry.reason, entry.task) == ("ratings.txt:2", "raters_split", "ratings")
    assert entry.detail == "mean 0.000 of 2 ratings falls between the labels"
    assert [item.outcome for item in found.rated] == ["negative", f"left out: {entry.detail}", "positive"]


def test_ids_that_are_out_of_step_are_refused_with_both_means(read):
    ratings, _ = table([("1", "a", [1, 1]), ("2", "b", [3, 3]), ("3", "c", [2, 2])])
    _, texts = table([("1", "a", [1, 1]), ("2", "c", [2, 2]), ("3", "b", [3, 3])])
    found = read(ratings, texts)
    assert [example.row for example in found.examples] == ["ratings.txt:1"]
    assert [fault.row for fault in found.faults] == ["ratings.txt:2", "ratings.txt:3"]
    assert found.faults[0].field == "mean"
    assert "mean 3.000000000 here, 3 over its 2 ratings, and 2.000000000 in texts.txt:2" in found.faults[0].found


@pytest.mark.parametrize(
    ("written", "sound"),
    [
        ("0.6666666667", True),
        ("0.667", True),
        ("0.67", True),
        ("0.666", True),
        ("0.7", False),
        ("1", False),
        ("0.664", False),
        ("0.6642156", False),
        ("-0.667", False),
        ("6.667e-1", True),
    ],
)
def test_a_mean_is_held_to_the_decimals_it_is_written_with(read, written, sound):
    found = read("1\t0.6666666667\t0\t[0, 1, 1]", f"1\t{written}\ttext")
    assert (len(found.examples), len(found.faults)) == (int(sound), int(not sound))


@given(st.lists(st.lists(st.integers(-4, 4), min_size=1, max_size=9), min_size=1, max_size=8), st.randoms())
def test_rows_are_paired_by_id_whatever_their_order(tmp_path_factory, ratings, shuffler):
    folder = tmp_path_factory.mktemp("tables")
    rows = [(f"{n}", f"text {n}", values) for n, values in enumerate(ratings)]
    (folder / "ratings.txt").write_text(table(rows)[0])
    (folder / "texts.txt").write_text(table(shuffler.sample(rows, len(rows)))[1])
    found = read_ratings(source(), folder)
    assert [(item.text, list(item.ratings)) for item in found.rated] == [(text, values) for _, text, values in rows]
    assert len(found.examples) + len(found.ledger) == found.num_rows == len(rows)


def test_every_broken_row_is_named(read):
    found = read(
        "1\t1\t0\t[1]\n2\t1\t0\n3\tone\t0\t[1]\n4\t1\t0\t[1, null]\n5\t1\t0\t[1\n6\t1\t0\t[]\n1\t1\t0\t[1]\n"
        "7\t1\t0\t[true]\n8\t1\t0\t[1]\n9\tnan\t0\t[1]\n10\t1\t0\t[NaN]\n\n11\t1\t0\t[1]\n",
        "1\t1\ta\n4\t1\ta\n5\t1\ta\n6\t1\ta\n7\t1\ta\n9\t1\ta\n10\t1\ta\n11\t1\t \n12\t1\tlonely\n13\tno text\n",
    )
    assert [example.row for example in found.examples] == ["ratings.txt:1"]
    assert found.empty == [EmptyRow("ratings.txt:13", "text")]
    places = {(fault.row, fault.field, fault.found) for fault in found.faults}
    assert places == {
        ("ratings.txt:2", "line", "3 tab-separated fields"),
        ("ratings.txt:3", "mean", '"one"'),
        ("ratings.txt:4", "ratings", "null in the list"),
        ("ratings.txt:5", "ratings", '"[1"'),
        ("ratings.txt:6", "ratings", "an empty list"),
        ("ratings.txt:7", "id", '"1", as in ratings.txt:1'),
        ("ratings.txt:8", "ratings", "true in the list"),
        ("ratings.txt:9", "id", '"8"'),
        ("ratings.txt:10", "mean", '"nan"'),
        ("ratings.txt:11", "ratings", "the number nan in the list"),
        ("texts.txt:6", "id", '"9"'),
        ("texts.txt:9", "id", '"12"'),
        ("texts.txt:10", "line", "2 tab-separated fields"),
    }


def test_rows_of_one_document_are_one_group(read):
    rows = [("1_1", "a", [1]), ("1_2", "b", [1]), ("2_1", "c", [1]), ("x", "d", [1])]
    found = read(*table(rows), document_id=r"^(\d+)_")
    first, second, third = (example.group for example in found.examples)
    assert first == second != third
    assert [(fault.row, fault.field) for fault in found.faults] == [("ratings.txt:4", "id")]
    assert all(example.group == prompt_hash(example.messages) for example in read(*table(rows)).examples)


def test_moving_the_files_moves_no_group(tmp_path, monkeypatch):
    groups = []
    for folder in (tmp_path, tmp_path / "deeper"):
        folder.mkdir(exist_ok=True)
        for name, text in zip(("ratings.txt", "texts.txt"), table([("1_1", "a", [1])]), strict=True):
            (folder / name).write_text(text)
        groups.append(read_ratings(source(document_id=r"(\d+)_"), folder).examples[0].group)
    monkeypatch.chdir(tmp_path)
    named = source(document_id=r"(\d+)_", path="deeper/ratings.txt", texts="deeper/texts.txt")
    groups.append(read_ratings(named, tmp_path).examples[0].group)
    assert len(set(groups)) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("all.jsonl", '{"id": 7, "text": "fine", "ratings": [1, 2]}\n{"id": "8", "text": "bad", "ratings": [-2.5]}\n'),
        ("all.csv", 'id,text,ratings\n7,fine,"[1, 2]"\n8,bad,[-2.5]\n'),
    ],
)
def test_one_table_with_named_columns(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    found = read_ratings(source(path=name, texts=name), tmp_path)
    texts = [example.messages[0].content for example in found.examples]
    outcomes = [(example.references[0], example.metadata["mean"]) for example in found.examples]
    assert (texts, outcomes) == (["fine", "bad"], [("positive", 1.5), ("negative", -2.5)])
    assert found.examples[0].metadata["item"] == "7"
    assert (len(found.tables), found.faults) == (1, [])


def test_one_table_names_the_field_that_is_wrong(tmp_path):
    rows = [
        {"id": 1, "text": None, "ratings": [1]},
        {"id": 1, "text": "a"},
        {"id": True, "text": "a", "ratings": [1]},
        {"id": 1, "text": "a", "ratings": ["1"]},
    ]
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    faults = read_ratings(source(path="all.jsonl", texts="all.jsonl"), tmp_path).faults
    assert [(fault.row, fault.field, fault.found) for fault in faults] == [
        ("all.jsonl:1", "text", "null"),
        ("all.jsonl:2", "ratings", "no such column; the row has id, text"),
        ("all.jsonl:3", "id", "true"),
        ("all.jsonl:4", "ratings", '"1" in the list'),
    ]


def test_files_must_be_there_and_be_one_each(tmp_path):
    (tmp_path / "ratings.txt").write_text("1\t1\t0\t[1]")
    with pytest.raises(DataError, match=r"text\.txt: no such file"):
        read_ratings(source(texts="text.txt"), tmp_path)
    (tmp_path / "texts.txt").write_text("1\t1\ttext")
    with pytest.raises(DataError, match="found 2 files; expected one"):
        read_ratings(source(path="*s.txt"), tmp_path)


def test_a_source_of_any_kind_hands_all_of_it_on(read, tmp_path):
    found = read(*table([("1", "torn", [-3, 3]), ("2", "fine", [4, 1]), ("3", "", [1])]))
    reading = read_any(source(), tmp_path)
    assert (reading.examples, reading.ledger, reading.empty) == (found.examples, found.ledger, found.empty)
    assert reading.rated == {"ratings": found.rated}
    assert [file.path for file in reading.files] == ["ratings.txt", "texts.txt"]


@pytest.mark.parametrize(("pattern", "message"), [("(", "not a regular expression"), (r"^\d+", "no group")])
def test_document_id_must_be_an_expression_with_a_group(read, pattern, message):
    with pytest.raises(ConfigError, match=message):
        read(*table([("1", "a", [1])]), document_id=pattern)


REAL = {  # set -> rows, examples, out of step, between the labels; interval alpha by the definition, pair by pair
    "amazonReviewSnippets": (3708, 2985, 0, 723, 0.820),
    "movieReviewSnippets": (10605, 10072, 0, 533, 0.798),
    "nytEditorialSnippets": (5190, 2970, 0, 2220, 0.532),
    "tweets": (4200, 3233, 199, 768, 0.741),
}


@pytest.mark.skipif(not PACKAGE.is_dir(), reason="vaderSentiment is not in the cache")
@pytest.mark.parametrize("name", REAL)
def test_the_real_ratings(name):
    inside = "pypi:vaderSentiment==3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz/hutto_ICWSM_2014"
    real = source(path=f"{inside}/{name}_anonDataRatings.txt", texts=f"{inside}/{name}_GroundTruth.txt")
    found = read_ratings(real, PACKAGE)
    *counts, alpha = REAL[name]
    assert [found.num_rows, len(found.examples), len(found.faults), len(found.ledger)] == counts
    assert {fault.field for fault in found.faults} <= {"mean"}
    summary = summarise(name, found.rated, np.random.default_rng(1))
    assert summary.alpha == pytest.approx(alpha, abs=5e-4)
