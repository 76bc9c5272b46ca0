"""How long annotators wait: a real server, and N people at once who take, judge and save, each in their own session.

    python benchmarks/annotation_server.py --people 50 --saves 40 --think 1.0

Each person asks for an item, thinks (exponentially, `--think` seconds in the
mean; 0: not at all, which is a load test and no team), saves and is given the
next one in the same answer. Printed are milliseconds: p50, p95 and p99 of what
a client waits, and the saves a second. With 50 people who do not think, a save
takes as long as 50 of them: what the server can do is then in the last column.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from instructglm.annotation.queue.rounds import open_round
from instructglm.annotation.store import Store, open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import Settings, create_project
from instructglm.annotation.store.sessions import start_session
from instructglm.annotation.store.tables import Role
from instructglm.studio.guard import COOKIE


class Client:
    """One browser's connection: HTTP/1.1, kept open, as light as can be, for it shares the machine with the server."""

    def __init__(self, port: int, token: str, waits: dict[str, list[float]]) -> None:
        self.port, self.token, self.waits, self.csrf = port, token, waits, ""

    async def open(self) -> None:
        await self._connect()
        self.csrf = (await self.ask("sign in", "GET", "/api/me"))["csrf"]

    async def _connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, name: str, method: str, path: str, body: Any = None) -> Any:
        sent = json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {COOKIE}={self.token}\r\nX-CSRF-Token: {self.csrf}"
        )
        head += f"\r\nContent-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
        began = time.perf_counter()
        if self.reader.at_eof():  # the server closes what is silent for some seconds, as a browser expects
            await self._connect()
        self.writer.write(head.encode() + sent)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length"))
        answer = json.loads(await self.reader.readexactly(length))
        self.waits[name].append((time.perf_counter() - began) * 1000)
        assert " 200 " in lines[0], (lines[0], answer)
        return answer


async def work(client: Client, project: int, saves: int, think_s: float, dice: random.Random) -> None:
    await client.open()
    await asyncio.sleep(dice.random() * think_s)
    given = await client.ask("next", "POST", f"/api/projects/{project}/next")
    for number in range(saves):
        task = given["task"]
        await asyncio.sleep(dice.expovariate(1 / think_s) if think_s else 0)
        path = f"/api/assignments/{task['assignment']}"
        if think_s:
            await client.ask("draft", "PUT", f"{path}/draft", {"body": {"comment": "half a"}, "version": 1})
        ratings = [
            {"output": one["id"], "criterion": "quality", "value": dice.randint(1, 5)} for one in task["outputs"]
        ]
        answer = {"answer": {"ratings": ratings, "comment": "As I see it."}, "key": str(number), "next_in": project}
        given = (await client.ask("save and next", "POST", f"{path}/save", answer))["next"]


def prepare(store: Store, people: int, saves: int) -> tuple[int, list[str]]:
    project = create_project(store, "load", Settings(annotators_per_item=2, gold_share=0))
    outputs = ["An answer. " * 20, "Another answer. " * 20, "A third. " * 20]
    records = [{"instruction": f"Question {one}?", "outputs": outputs} for one in range(people * (saves + 2))]
    import_records(store, project, [(str(line), record) for line, record in enumerate(records)])
    open_round(store, project)
    add_person(store, "Owner", Role.ADMIN)
    return project, [start_session(store, add_person(store, f"P{one}", Role.ANNOTATOR)) for one in range(people)]


def serve(place: Path) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "instructglm.cli.main", "annotate", "serve", "--no-browser", "--port", "0"]
    process = subprocess.Popen([*command, "--store", str(place)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline().rsplit(":", 1)[1])


async def run(port: int, project: int, tokens: list[str], saves: int, think_s: float) -> dict[str, list[float]]:
    waits: dict[str, list[float]] = defaultdict(list)
    dice = [random.Random(number) for number in range(len(tokens))]
    people = [Client(port, token, waits) for token in tokens]
    await asyncio.gather(*(work(one, project, saves, think_s, die) for one, die in zip(people, dice, strict=True)))
    return waits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--saves", type=int, default=40, help="of each person")
    parser.add_argument("--think", type=float, default=1.0, help="seconds between an item and its save")
    parser.add_argument("--folder", type=Path, help="where the database lies: on the disk that will be used")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        place = Path(folder) / "annotations.db"
        with open_store(place, create=True) as store:
            project, tokens = prepare(store, given.people, given.saves)
        process, port = serve(place)
        began = time.perf_counter()
        try:
            waits = asyncio.run(run(port, project, tokens, given.saves, given.think))
            rate = given.people * given.saves / (time.perf_counter() - began)
        finally:
            process.terminate()
            process.wait()
    print(f"{given.people} people, {given.saves} saves each, {given.think} s to think: {rate:.0f} saves/s")
    for name, found in waits.items():
        p50, p95, p99 = np.percentile(found, (50, 95, 99))
        print(f"{name:14} n={len(found):<6} p50 {p50:7.1f}  p95 {p95:7.1f}  p99 {p99:7.1f} ms")


if __name__ == "__main__":
    main()
