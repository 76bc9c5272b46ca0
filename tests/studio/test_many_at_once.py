"""Fifty annotators at once, and a server that is killed five times meanwhile: nothing is lost, nothing is doubled.

benchmarks/annotation_kill.py does the same with 5,000 saves, and measures what people wait for.
"""

from __future__ import annotations

import asyncio

import pytest
from annotation_crowd import JUDGEMENTS, Annotator, Ledger, annotate, let_in, make_project
from annotation_ledger import check_store
from browsers import Served

from instructglm.annotation.store import open_store

PEOPLE, KILLS, K = 50, 5, 2
SAVES = 1000
LEASE_S = 6.0
LEAVERS = range(0, PEOPLE, 10)


async def crowd_at_work(served: Served, ledger: Ledger, project: int, people: list[int]) -> None:
    crowd = [
        Annotator(served, ledger, person, leaves_after=5 if number in LEAVERS else None)
        for number, person in enumerate(people)
    ]
    await let_in(served, crowd, by_password=False)
    await asyncio.wait_for(annotate(served, ledger, crowd, project, num_saves=SAVES, kills=KILLS), 150)


@pytest.mark.slow
def test_nothing_is_lost_while_fifty_annotate_and_the_server_is_killed_five_times(place: str) -> None:
    """1,000 saves of 5 annotations each. Five people go away for good in the middle, each with an item in hand."""
    assert SAVES * JUDGEMENTS == 5000
    ledger = Ledger()
    with open_store(place, create=True) as store:
        project, people = make_project(store, SAVES, PEOPLE, K, LEASE_S)
        served = Served(store, place)
        served.start()
        try:
            asyncio.run(crowd_at_work(served, ledger, project, people))
        finally:
            served.kill()
        check_store(store, ledger, project, num_saves=SAVES, k=K)
    assert len(ledger.in_flight_at_kills) == KILLS
    assert min(ledger.in_flight_at_kills) > 0  # each kill came in the middle of somebody's save
    assert any(one.saved["repeated"] for one in ledger.told)  # and answers were lost of saves that were stored
    assert ledger.num_unanswered >= KILLS
