"""Nothing lost, at full size: 50 people, 5,000 saves, a server killed five times; and how long people waited.

    python benchmarks/annotation_kill.py --think 1.0
    python benchmarks/annotation_kill.py --think 0 --place postgresql://user@host/empty

Everybody signs in by password, takes, thinks (exponentially, `--think` seconds in
the mean; 0: not at all, which is a load test and no team) and saves, by real HTTP
against a real `annotate serve`, which gets SIGKILL and is started again on its
port. A save is a rating of three outputs, a label and a comment: five annotations.
Requests that a kill leaves unanswered are sent again with the same key, and 4 % of
the saves are sent by somebody who hangs up at once and asks again. At the end the
store is compared with what the clients were told, row by row.

Printed are milliseconds of what was answered at the first try (p50, p95, p99, the
slowest): a save with the next item in the same answer. The checks are those of
tests/studio/test_many_at_once.py; nothing is printed where one fails but its error.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from annotation_crowd import JUDGEMENTS, Annotator, Ledger, annotate, let_in, make_project
from annotation_ledger import check_store
from browsers import Served

from instructglm.annotation.store import Store, open_store

K = 2
LEASE_S = 20.0


async def run(served: Served, ledger: Ledger, project: int, people: list[int], given: argparse.Namespace) -> float:
    """How many seconds the saves took, the kills included."""
    crowd = [Annotator(served, ledger, person, think_s=given.think) for person in people]
    await let_in(served, crowd, by_password=True)
    began = time.perf_counter()
    await annotate(served, ledger, crowd, project, num_saves=given.saves, kills=given.kills)
    return time.perf_counter() - began


def serve_and_run(store: Store, place: str, given: argparse.Namespace) -> None:
    project, people = make_project(store, given.saves, given.people, K, LEASE_S)
    served, ledger = Served(store, place), Ledger()
    served.start()
    try:
        seconds = asyncio.run(run(served, ledger, project, people, given))
    finally:
        served.kill()
    check_store(store, ledger, project, num_saves=given.saves, k=K)
    tell(ledger, given, seconds)


def tell(ledger: Ledger, given: argparse.Namespace, seconds: float) -> None:
    repeated = sum(one.saved["repeated"] for one in ledger.told)
    print(
        f"{given.people} people, {len(ledger.told)} saves of {JUDGEMENTS} annotations, {given.kills} kills, "
        f"{given.think} s to think: {seconds:.0f} s, {len(ledger.told) / seconds:.0f} saves/s, restarts included\n"
        f"all there once: {ledger.num_unanswered} requests got no answer, {repeated} saves were stored by then; "
        f"{len(ledger.refused)} refused after their lease; saves in flight at the kills: {ledger.in_flight_at_kills}"
    )
    for name, found in ledger.waits_ms.items():
        p50, p95, p99 = np.percentile(found, (50, 95, 99))
        print(f"{name:14} n={len(found):<6} p50 {p50:7.1f}  p95 {p95:7.1f}  p99 {p99:7.1f}  max {max(found):7.1f} ms")


@contextmanager
def place_of(given: argparse.Namespace) -> Iterator[str]:
    """The database that was named; an SQLite file of this run's own otherwise."""
    if given.place:
        yield given.place
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        yield str(Path(folder) / "annotations.db")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--saves", type=int, default=5000, help="of all together; an even number")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--think", type=float, default=1.0, help="seconds between an item and its save")
    parser.add_argument("--folder", type=Path, help="where the SQLite file lies: on the disk that will be used")
    parser.add_argument("--place", help="an empty database to use instead: postgresql://...")
    given = parser.parse_args()
    with place_of(given) as place, open_store(place, create=True) as store:
        serve_and_run(store, place, given)


if __name__ == "__main__":
    main()
