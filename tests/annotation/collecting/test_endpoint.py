"""The client against a real server that fails in every way one has seen them fail."""

from __future__ import annotations

import time

import pytest
from chat_server import fail, hang_up, raw, say, serving
from tiny_runs import Told

from instructglm.annotation.collecting.endpoint import open_endpoint
from instructglm.core.errors import ConfigError, RunError
from instructglm.core.records import Message

ASKED = (Message(role="user", content="写 more.\0"),)
KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def _straight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def asking(url: str, pauses: list[float] | None = None, **options):
    told = Told()
    sleep = (lambda _: None) if pauses is None else pauses.append
    return open_endpoint(url, "glm", told, sleep=sleep, timeout_s=options.pop("timeout_s", 5.0), **options), told


def test_a_conversation_is_asked_and_the_reply_read() -> None:
    with serving(say("好的。", finish_reason="length", tokens=7)) as server:
        ask, _ = asking(server.url, key=KEY, temperature=0.5, max_new_tokens=99)
        reply = ask(ASKED, 2**62 + 5)
    assert (reply.text, reply.is_cut, reply.num_prompt_tokens, reply.num_tokens) == ("好的。", True, 300, 7)
    assert server.asked == [
        {
            "path": "/v1/chat/completions",
            "model": "glm",
            "messages": [{"role": "user", "content": "写 more.\0"}],
            "temperature": 0.5,
            "max_tokens": 99,
            "seed": 5,
        }
    ]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_without_a_key_none_is_sent() -> None:
    with serving(say("a")) as server:
        asking(f"{server.url}/chat/completions/")[0](ASKED, 1)
    assert "Authorization" not in server.headers[0]
    assert server.asked[0]["path"] == "/v1/chat/completions"


FAILURES = [
    fail(429, "slow down", Retry_After="7"),
    fail(503),
    fail(500, "x" * 10_000),
    hang_up,
    raw(b'{"choices": [{"mess'),
    raw(b"<html>hello</html>"),
    raw(b'{"choices": []}'),
    raw(b'{"choices": [{"message": {"content": null}}]}'),
    raw(b"\xff\xfe" * 100),
    raw(b"[" * 100_000),
    raw(b" " * (4 * 2**20 + 1)),
]


@pytest.mark.parametrize("failure", FAILURES)
def test_what_another_try_may_mend_is_tried_again(failure) -> None:
    with serving(failure, failure, say("at last")) as server:
        pauses: list[float] = []
        ask, told = asking(server.url, pauses)
        assert ask(ASKED, 1).text == "at last"
    assert len(server.asked) == 3
    assert len(pauses) == len(told.lines) == 2
    assert "try 2 of 6 in" in told.lines[0]
    assert max(map(len, told.lines)) < 600


def test_pauses_grow_and_the_servers_wish_is_heeded() -> None:
    busy, wait, date = fail(429), fail(429, Retry_After="7"), fail(429, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT")
    with serving(busy, busy, wait, date, fail(429, Retry_After="86400"), say("a")) as server:
        pauses: list[float] = []
        asking(server.url, pauses)[0](ASKED, 1)
    assert 1 <= pauses[0] < 2 <= pauses[1] < 4
    assert pauses[2] == 7.0
    assert 8 <= pauses[3] < 16
    assert pauses[4] == 60.0


def test_after_all_tries_it_ends_with_the_next_move() -> None:
    with serving(fail(503, "overloaded")) as server:
        with pytest.raises(RunError, match="503 Service Unavailable overloaded, 6 times") as caught:
            asking(server.url)[0](ASKED, 1)
        assert len(server.asked) == 6
    assert "goes on from there" in caught.value.hint


@pytest.mark.parametrize(("code", "hint"), [(401, "--key-variable"), (404, "--model"), (400, "goes on"), (403, "key")])
def test_a_refusal_is_not_tried_again(code: int, hint: str) -> None:
    with serving(fail(code, f'{{"error": "Incorrect API key provided: {KEY}"}}')) as server:
        with pytest.raises(RunError, match=str(code)) as caught:
            asking(server.url, key=KEY)[0](ASKED, 1)
        assert len(server.asked) == 1
    assert hint in caught.value.hint
    assert KEY not in str(caught.value)
    assert "[key]" in str(caught.value)


def test_a_redirect_takes_the_key_nowhere() -> None:
    with serving(say("not here")) as elsewhere, serving(fail(302, Location=elsewhere.url)) as server:
        with pytest.raises(RunError, match="302"):
            asking(server.url, key=KEY)[0](ASKED, 1)
        assert elsewhere.asked == []


def test_a_server_that_never_answers_is_given_up() -> None:
    with serving(lambda handler, number, asked: time.sleep(2)) as server:
        ask, _ = asking(server.url, timeout_s=0.2, num_tries=2)
        with pytest.raises(RunError, match="timed out"):
            ask(ASKED, 1)
    with pytest.raises(RunError, match="refused"):  # nobody listens there any more
        asking(server.url, num_tries=2)[0](ASKED, 1)


def test_the_key_is_shown_nowhere() -> None:
    ask, told = asking("http://models.example/v1", key=f" {KEY}\n")
    assert KEY not in repr(ask)
    assert told.lines == ["the key goes to models.example unencrypted: prefer https"]
    assert asking("https://models.example/v1", key=KEY)[1].lines == []


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://a/b", "http://", "http://[1/", "http://a:99999/"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="--endpoint: expected an address"):
        asking(url)


def test_keys_that_cannot_be_sent_and_passwords_in_addresses_are_refused() -> None:
    with pytest.raises(ConfigError, match="a user or a password") as caught:
        asking("http://ann:hunter2@localhost/v1")
    assert "hunter2" not in str(caught.value)
    for key in ("a b", "密钥", "a\r\nHost: b"):
        with pytest.raises(ConfigError, match="characters that no key has") as caught:
            asking("http://localhost/v1", key=key)
        assert key not in str(caught.value)
