"""Collecting from the command line: coverage, targets, expansion, decisions, drafts."""

from __future__ import annotations

import json

import pytest
from chat_server import fail, say, serving

RECORDS = [
    {"instruction": "Is parking lawful?", "domain": "law", "complexity": "easy", "output": "No."},
    {"instruction": "is parking lawful", "domain": "law", "complexity": "easy"},
    {"instruction": "这份合同有效吗？", "domain": "合同", "complexity": "hard"},
]
KEY = "sk-very-secret-0123456789"


@pytest.fixture
def project(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    cli("annotate", "init", "law")
    cli("annotate", "import", "law", "a.jsonl")
    return tmp_path


def test_coverage_shows_what_there_is_and_what_to_collect(cli, project) -> None:
    assert cli("annotate", "target", "law", "--domain", "law", "--complexity", "hard", "--num", "5").code == 0
    shown = cli("annotate", "coverage", "law")
    assert (shown.code, shown.err) == (0, "")
    rows = [line.split() for line in shown.out.splitlines()]
    assert rows[:4] == [
        ["domain", "easy", "hard", "all"],
        ["law", "2", "0", "2"],
        ["合同", "0", "1", "1"],
        ["all", "2", "1", "3"],
    ]
    assert ["law", "hard", "any", "0", "5", "5"] in rows
    assert "- 1, 2: Is parking lawful?" in shown.out
    assert "- domain law, complexity hard: 0 of 5 instructions: collect 5 more" in shown.out
    told = json.loads(cli("annotate", "coverage", "law", "--json").out)
    assert told["findings"][0]["figures"] == {"num_instructions": 0, "wanted": 5, "num_missing": 5}
    assert told["findings"][0]["text"].endswith("collect 5 more")
    assert {one["measure"] for one in told["diversity"]} >= {"distinct_2", "vendi_trigrams"}
    assert told["clusters"] == [{"instructions": [1, 2], "text": "Is parking lawful?"}]


def test_targets_are_shown_and_taken_back(cli, project) -> None:
    assert cli("annotate", "target", "law", "--num", "100").out.splitlines()[1].split() == [
        "any",
        "any",
        "any",
        "3",
        "100",
    ]
    assert cli("annotate", "target", "law", "--num", "0").out == "no target\n"
    assert json.loads(cli("annotate", "target", "law", "--num", "0", "--json").out) == []


def test_of_an_empty_project_there_is_nothing_to_show(cli, project) -> None:
    cli("annotate", "init", "empty")
    assert cli("annotate", "coverage", "empty").out == "no instruction yet\n"


def test_diversity_by_meaning_needs_a_model_in_a_folder(cli, project, tiny_model) -> None:
    told = json.loads(cli("annotate", "coverage", "law", "--embedding", tiny_model, "--json").out)
    (found,) = [one for one in told["diversity"] if one["measure"] == "vendi_meaning"]
    assert 1.0 <= found["value"] <= 3.0
    missing = cli("annotate", "coverage", "law", "--embedding", "some/model")
    assert (missing.code, "no config.json" in missing.err) == (2, True)


def test_a_project_is_expanded_and_people_decide(cli, project) -> None:
    reply = '{"instruction": "Draft a will."}\n{"instruction": "List four courts."}\nSure!'
    with serving(fail(429, Retry_After="0"), say(reply)) as server:
        done = cli("annotate", "expand", "law", "--endpoint", server.url, "--model", "glm", "--num", "2")
        assert done.code == 0
        assert done.out.splitlines()[0] == "2 proposals of 1 replies; dropped: 1 not json"
        assert "429" in done.err
        again = cli("annotate", "expand", "law", "--endpoint", server.url, "--model", "glm", "--num", "2", "--json")
        assert json.loads(again.out)["num_kept"] == 2
        assert len(server.asked) == 2
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    for file in project.iterdir():
        assert KEY.encode() not in file.read_bytes()
    assert KEY not in done.out + done.err
    listed = cli("annotate", "proposals", "law").out.splitlines()
    assert listed[1].split() == ["1", "waiting", "Draft", "a", "will."]
    unknown = cli("annotate", "accept", "1", "--person", "Ann")
    assert (unknown.code, "unknown person 'Ann'" in unknown.err) == (2, True)
    _add_person("Ann")
    assert cli("annotate", "accept", "1", "--person", "Ann").out == "decided: 1; instructions 4\n"
    assert cli("annotate", "reject", "2", "--person", "Ann", "--reason", "vague").out == "decided: 1\n"
    assert cli("annotate", "proposals", "law").out == "no proposals\n"
    states = json.loads(cli("annotate", "proposals", "law", "--state", "all", "--json").out)
    assert [(one["state"], one["reason"]) for one in states] == [("accepted", ""), ("rejected", "vague")]
    assert cli("annotate", "proposals", "law", "--state", "old").code == 2
    assert cli("annotate", "accept", "1", "--person", "Ann").code == 2


def _add_person(name: str) -> None:
    from instructglm.annotation.store import open_store
    from instructglm.annotation.store.people import add_person

    with open_store("annotations.db") as store:
        add_person(store, name, "reviewer")


def test_a_refused_key_is_the_users_to_mend(cli, project) -> None:
    with serving(fail(401, f"bad key {KEY}")) as server:
        refused = cli("annotate", "expand", "law", "--endpoint", server.url, "--model", "glm")
    assert (refused.code, "--key-variable" in refused.err, KEY in refused.err) == (2, True, False)


def test_a_model_drafts_outputs_and_goes_on(cli, project, tiny_model) -> None:
    options = ("--model", tiny_model, "-k", "2", "--max-new-tokens", "4")
    first = json.loads(cli("annotate", "draft", "law", *options, "--limit", "1", "--json").out)
    assert (first["num_instructions"], first["num_outputs"]) == (1, 2)
    rest = cli("annotate", "draft", "law", *options)
    assert rest.code == 0
    assert rest.out.startswith("2 drafts by ")
    assert "1 instructions were drafted before: skipped" in rest.err
    assert "tokens/s" in rest.err
    assert cli("annotate", "draft", "law", *options).out.startswith("0 drafts by ")
    assert cli("annotate", "verify").code == 0


def test_a_local_model_can_expand_too(cli, project, tiny_model) -> None:
    done = cli("annotate", "expand", "law", "--model", tiny_model, "--num", "1", "--examples", "1",
               "--max-new-tokens", "4", "--json")  # fmt: skip
    assert json.loads(done.out)["num_replies"] == 5  # random weights: nothing of five replies can be kept
    assert "5 replies in a row" in done.err
