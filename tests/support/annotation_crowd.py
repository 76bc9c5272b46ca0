"""Many annotators before one server, each over a connection and with a session of their own, who know what they sent.

A server that does not answer is asked again, with the very same bytes, until it does; and now and then somebody hangs
up before the answer comes, as a telephone does in a tunnel, and sends the same again.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from annotation_team import items
from browsers import PASSWORD, Served

from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store import Store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import hash_password, new_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.sessions import start_session
from instructglm.annotation.store.tables import Role
from instructglm.studio.guard import COOKIE

NUM_OUTPUTS = 3
JUDGEMENTS = NUM_OUTPUTS + 2
"""Annotations in a save: a rating of each output, a label and a comment."""
_ASK_AGAIN_S = 0.1
_HANGS_UP = 0.04  # of the saves
_AUTOSAVES = 0.1


@dataclass(frozen=True)
class Told:
    """A save that was answered with success: what was sent, and what the server said of it."""

    person: int
    key: str
    assignment: int
    answer: dict[str, Any]
    saved: dict[str, Any]


@dataclass
class Ledger:
    """What all clients together know."""

    told: list[Told] = field(default_factory=list)
    refused: list[tuple[int, dict[str, Any]]] = field(default_factory=list)  # status 410: who, and what they sent
    waits_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # answered at the first try
    num_unanswered: int = 0  # requests that no answer came to
    num_in_flight: int = 0  # saves that wait for an answer now
    in_flight_at_kills: list[int] = field(default_factory=list)

    @contextmanager
    def saving(self) -> Iterator[None]:
        self.num_in_flight += 1
        try:
            yield
        finally:
            self.num_in_flight -= 1


class Line:
    """A connection that is made anew whenever it was lost."""

    def __init__(self, served: Served, ledger: Ledger) -> None:
        self._served, self._ledger = served, ledger
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.headers: dict[str, str] = {}

    async def ask(self, method: str, path: str, body: str = "", *, timed: str = "") -> tuple[int, list[str], bytes]:
        """Status, header lines and body; asked again until there are any. `timed` names the waits to keep."""
        tries = 0
        while True:
            began, tries = time.perf_counter(), tries + 1
            try:
                status, headers, answer = await self._exchange(method, path, body)
            except (OSError, asyncio.IncompleteReadError):
                self.hang_up()
                self._ledger.num_unanswered += 1
                await asyncio.sleep(_ASK_AGAIN_S)
                continue
            if status != 503:  # the database is busy: nothing was stored
                if timed and tries == 1:
                    self._ledger.waits_ms[timed].append((time.perf_counter() - began) * 1000)
                return status, headers, answer
            await asyncio.sleep(_ASK_AGAIN_S)

    async def send(self, method: str, path: str, body: str) -> asyncio.StreamReader:
        """Send it, and wait for nothing."""
        if self._ends is None or self._ends[0].at_eof():  # the server closes what is silent for some seconds
            self._ends = await asyncio.open_connection("127.0.0.1", self._served.port)
        reader, writer = self._ends
        sent = body.encode()
        headers = {"Host": "localhost", "Content-Type": "application/json", **self.headers, "Content-Length": len(sent)}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + sent)
        await writer.drain()
        return reader

    async def _exchange(self, method: str, path: str, body: str) -> tuple[int, list[str], bytes]:
        reader = await self.send(method, path, body)
        status, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        length = next(int(one.split(":")[1]) for one in headers if one.lower().startswith("content-length:"))
        return int(status.split()[1]), headers, await reader.readexactly(length)

    def hang_up(self) -> None:
        if self._ends is not None:
            self._ends[1].close()
        self._ends = None


class Annotator:
    """Takes, judges and saves until everything is done. Thinks `think_s` seconds in the mean, or not at all.

    With `leaves_after`, goes away for good after so many saves, with an item in hand.
    """

    def __init__(
        self, served: Served, ledger: Ledger, person: int, *, think_s: float = 0.0, leaves_after: int | None = None
    ) -> None:
        self.line, self._ledger, self.person = Line(served, ledger), ledger, person
        self._think_s, self._leaves_after = think_s, leaves_after
        self._dice, self._num_saves = random.Random(person), 0

    async def sign_in(self, name: str) -> None:
        """By name and password, as a person does."""
        self.line.headers = {"Content-Type": "application/x-www-form-urlencoded"}
        form = urlencode({"name": name, "password": PASSWORD})
        status, headers, _ = await self.line.ask("POST", "/sign-in", form, timed="sign in")
        assert status == 303, status
        cookies = [line for line in headers if line.lower().startswith("set-cookie:")]
        await self.come_in(next(line.split(f"{COOKIE}=")[1].split(";")[0] for line in cookies if COOKIE in line))

    async def come_in(self, token: str) -> None:
        """By a session that is there."""
        self.line.headers = {"Cookie": f"{COOKIE}={token}"}
        self.line.headers["X-CSRF-Token"] = (await self._told("GET", "/api/me"))["csrf"]

    async def work(self, project: int) -> None:
        given = await self._next(project)
        while (given["idle"] or {}).get("reason") != "everything is done":
            if given["task"] is None:
                await asyncio.sleep(2 * _ASK_AGAIN_S)
                given = await self._next(project)
            elif self._num_saves == self._leaves_after:
                break
            else:
                given = await self._answer(project, given["task"]) or await self._next(project)
        self.line.hang_up()

    async def _next(self, project: int) -> dict[str, Any]:
        return await self._told("POST", f"/api/projects/{project}/next")

    async def _told(self, method: str, path: str, body: str = "") -> dict[str, Any]:
        status, _, answer = await self.line.ask(method, path, body)
        assert status == 200, (status, answer)
        return json.loads(answer)

    async def _answer(self, project: int, task: dict[str, Any]) -> dict[str, Any] | None:
        """Save, and tell what comes next, where that came with the answer."""
        path = f"/api/assignments/{task['assignment']}"
        if self._think_s:
            await asyncio.sleep(self._dice.expovariate(1 / self._think_s))
        if self._dice.random() < _AUTOSAVES:
            await self._told("PUT", f"{path}/draft", json.dumps({"body": {"comment": "half a"}, "version": 1}))
        answer, key = self._judge(task), f"{self._dice.getrandbits(64):x}"
        body = {"answer": answer, "key": key, "based_on": task["revision"], "next_in": project}
        with self._ledger.saving():
            status, told = await self._save(f"{path}/save", json.dumps(body))
        if status == 410:
            self._ledger.refused.append((self.person, answer))
            return None
        assert status == 200, (status, told)
        self._num_saves += 1
        self._ledger.told.append(Told(self.person, key, task["assignment"], answer, told["saved"]))
        return told["next"]

    async def _save(self, path: str, body: str) -> tuple[int, dict[str, Any]]:
        hangs_up = self._dice.random() < _HANGS_UP
        if hangs_up:
            await self._send_unheard(path, body)
        status, _, answer = await self.line.ask("POST", path, body, timed="" if hangs_up else "save and next")
        return status, json.loads(answer)

    async def _send_unheard(self, path: str, body: str) -> None:
        try:
            await self.line.send("POST", path, body)
            await asyncio.sleep(self._dice.random() * 0.05)
        except OSError:
            pass  # the server is dead: then nobody heard it
        self.line.hang_up()

    def _judge(self, task: dict[str, Any]) -> dict[str, Any]:
        """An answer that no other one is like."""
        ratings = [
            {"output": one["id"], "criterion": "quality", "value": self._dice.randint(1, 5)} for one in task["outputs"]
        ]
        comment = f"{self.person} on {task['instruction']}: {self._dice.getrandbits(64):x} 你好"
        return {"ratings": ratings, "label": self._dice.choice(task["choices"]), "comment": comment}


def make_project(store: Store, num_saves: int, num_people: int, k: int, lease_s: float) -> tuple[int, list[int]]:
    """A project that takes so many saves, and its people; all have the same password, whose hash is made once."""
    project = create_project(store, "crowd", Settings(annotators_per_item=k, gold_share=0, lease_s=lease_s))
    import_records(store, project, items(num_saves // k, outputs=NUM_OUTPUTS))
    open_round(store, project)
    hashed = hash_password(PASSWORD)
    with store.write() as write:
        new_person(write, "Owner", Role.ADMIN, hashed, None)  # or the server would invite a first one
        people = [new_person(write, name_of(one), Role.ANNOTATOR, hashed, None) for one in range(num_people)]
    return project, people


def name_of(number: int) -> str:
    return f"Person {number}"


async def let_in(served: Served, crowd: Sequence[Annotator], *, by_password: bool) -> None:
    """Everybody signs in, two at a time; or, where signing in is not what it is about, gets a session from the store:
    a password takes a quarter of a second to check, on purpose."""
    door = asyncio.Semaphore(2)

    async def enter(number: int, annotator: Annotator) -> None:
        async with door:
            if by_password:
                await annotator.sign_in(name_of(number))
            else:
                await annotator.come_in(start_session(served.store, annotator.person))

    await asyncio.gather(*(enter(number, one) for number, one in enumerate(crowd)))


async def annotate(
    served: Served, ledger: Ledger, crowd: Sequence[Annotator], project: int, *, num_saves: int, kills: int
) -> None:
    """Let everybody work while the server is killed so many times, evenly over all saves, and started again."""
    async with asyncio.TaskGroup() as group:
        for annotator in crowd:
            group.create_task(annotator.work(project))
        for number in range(1, kills + 1):
            while len(ledger.told) < num_saves * number / (kills + 1) or not ledger.num_in_flight:
                await asyncio.sleep(0.003)
            ledger.in_flight_at_kills.append(ledger.num_in_flight)
            served.kill()
            await asyncio.to_thread(served.start)
