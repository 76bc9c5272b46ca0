"""A model behind an OpenAI-compatible endpoint, asked with Python's own HTTP client.

The key comes from an environment variable. It goes to that one address and
nowhere else: not into the store, a message or, by a redirect, to another host.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from instructglm.annotation.collecting.replies import Reply
from instructglm.core.errors import ConfigError, RunError
from instructglm.core.progress import Progress
from instructglm.core.records import Message

_MOST_BYTES = 4 * 2**20  # of an answer
_LONGEST_WAIT_S = 60.0
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}  # what another try may mend
_TOLD = 300  # characters of what a server says
_HERE = {"localhost", "127.0.0.1", "::1"}
_GO_ON = "What came before is stored: the same command goes on from there."


class _Refused(Exception):
    """An answer that another try may mend; `wait_s` is how long the server wants to be left alone."""

    def __init__(self, found: str, wait_s: float | None = None) -> None:
        super().__init__(found)
        self.wait_s = wait_s


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would take the key elsewhere, and make a question of none of it."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Endpoint:
    """Answers conversations: `Endpoint(...)(messages, seed)`; see `open_endpoint`."""

    url: str
    model: str
    progress: Progress
    key: str = field(default="", repr=False)
    temperature: float = 1.0
    max_new_tokens: int = 1024
    timeout_s: float = 120.0
    num_tries: int = 6
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, messages: Sequence[Message], seed: int) -> Reply:
        """The model's reply, tried again with growing pauses where the server is busy, fails or says nothing whole.

        Raises:
            RunError: it refuses, or still fails after all tries.
        """
        rng = random.Random(seed)
        for number in range(1, self.num_tries + 1):
            try:
                return self._ask(messages, seed)
            except _Refused as refused:
                if number == self.num_tries:
                    raise RunError(f"{self.url}: {refused}, {number} times", hint=_GO_ON) from refused
                pause = 2.0 ** (number - 1) * (1 + rng.random()) if refused.wait_s is None else refused.wait_s
                pause = min(pause, _LONGEST_WAIT_S)
                self.progress.say(f"{self.url}: {refused}; try {number + 1} of {self.num_tries} in {pause:.0f} s")
                self.sleep(pause)
        raise AssertionError("there is at least one try")

    def _ask(self, messages: Sequence[Message], seed: int) -> Reply:
        body = {
            "model": self.model,
            "messages": [message.model_dump() for message in messages],
            "temperature": self.temperature,
            "max_tokens": self.max_new_tokens,
            "seed": seed % 2**31,  # servers keep it in 32 bits
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        asked = Request(self.url, json.dumps(body).encode(), headers)
        return _reply(self._exchange(asked))

    def _exchange(self, asked: Request) -> bytes:
        try:
            with build_opener(_NoRedirect).open(asked, timeout=self.timeout_s) as answer:
                content: bytes = answer.read(_MOST_BYTES + 1)
        except HTTPError as error:
            with error:
                self._refuse(error)
        except (URLError, HTTPException, OSError) as error:  # no connection, a broken one, or none in time
            reason = getattr(error, "reason", None) or error
            raise _Refused(f"no answer ({self._told(str(reason) or type(reason).__name__)})") from error
        if len(content) > _MOST_BYTES:
            raise _Refused(f"an answer of more than {_MOST_BYTES:,} bytes")
        return content

    def _refuse(self, error: HTTPError) -> NoReturn:
        found = self._told(f"{error.code} {error.reason} {_body(error)}")
        if error.code in _AGAIN:
            raise _Refused(found, _wait_s(error.headers.get("Retry-After")))
        raise RunError(f"{self.url}: {found}", hint=_HINTS.get(error.code, _GO_ON))

    def _told(self, said: str) -> str:
        """What a server says, on one line, not too long, and without the key, which some repeat."""
        said = " ".join(said.split())[:_MOST_BYTES]
        return (said.replace(self.key, "[key]") if self.key else said)[:_TOLD]


def _body(error: HTTPError) -> str:
    try:
        return error.read(_MOST_BYTES).decode("utf-8", "replace")
    except (OSError, HTTPException):  # what it says is lost; its number is enough
        return ""


_HINTS: Mapping[int, str] = {
    401: "Put the key into the environment variable that --key-variable names (default: OPENAI_API_KEY).",
    403: "This key may not use this model.",
    404: "See that --endpoint ends in what comes before /chat/completions, and that --model is a name it knows.",
}


def _wait_s(told: str | None) -> float | None:
    """`Retry-After` in seconds; None where there is none, or a date."""
    try:
        return max(0.0, float(told)) if told else None
    except ValueError:
        return None


def _reply(content: bytes) -> Reply:
    """The first choice of a chat completion."""
    try:
        answer = json.loads(content)
        choice = answer["choices"][0]
        text, usage = choice["message"]["content"], answer.get("usage") or {}
        return Reply(
            text=text,
            is_cut=choice.get("finish_reason") == "length",
            num_prompt_tokens=usage.get("prompt_tokens"),
            num_tokens=usage.get("completion_tokens"),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise _Refused("an answer that is no chat completion") from error


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # brackets or a port that make no address
        known = False
    if not known:
        raise ConfigError("--endpoint: expected an address such as http://localhost:8000/v1", hint=f"Found {url!r}.")
    if parts.username or parts.password:
        raise ConfigError("--endpoint: holds a user or a password", hint="Put the key into an environment variable.")
    return parts


def open_endpoint(url: str, model: str, progress: Progress, *, key: str = "", **settings: Any) -> Endpoint:
    """What asks `model` at an address such as `http://localhost:8000/v1`.

    Args:
        url: what comes before `/chat/completions`.
        model: as the server calls it.
        progress: is told of every try that failed.
        key: sent as a bearer token; empty: none is sent.
        settings: further fields of `Endpoint`.

    Raises:
        ConfigError: the address or the key cannot be one.
    """
    parts = _parts(url)
    key = key.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError("the key holds characters that no key has", hint="See what the environment variable holds.")
    if key and parts.scheme == "http" and parts.hostname not in _HERE:
        progress.say(f"the key goes to {parts.hostname} unencrypted: prefer https")
    whole = url.rstrip("/")
    whole = whole if whole.endswith("/chat/completions") else f"{whole}/chat/completions"
    return Endpoint(whole, model, progress, key, **settings)
