"""The public sets of crowd labels, with what the reference aggregations make of them (in points of 100)."""

import csv
from pathlib import Path
from typing import NamedTuple

from instructglm.annotation.aggregation import Votes


class Reference(NamedTuple):
    """Accuracy against gold in per cent: majority with ties broken at random, and crowd-kit 1.4.2's models."""

    majority: float
    dawid_skene: float
    one_coin: float
    glad: float
    mace: float


REFERENCES = {
    "act_cf_amt": Reference(85.3, 84.0, 86.0, 85.3, 86.7),
    "act_sp_amt": Reference(94.3, 94.4, 94.6, 94.6, 94.4),
    "act_cf": Reference(88.2, 83.0, 88.7, 88.0, 89.0),
    "act_ms": Reference(70.4, 76.7, 79.3, 78.9, 79.4),
    "snow_rte": Reference(89.7, 92.75, 92.5, 92.5, 92.5),
    "snow_temp": Reference(93.6, 94.2, 93.9, 93.5, 93.9),
    "snow_wsd": Reference(99.4, 99.4, 99.4, 99.4, 99.4),
    "bluebird": Reference(75.9, 88.9, 58.3, 72.2, 80.6),
    "dog": Reference(82.2, 84.3, 83.0, 83.4, 83.0),
    "face": Reference(63.7, 64.0, 61.1, 63.0, 63.5),
}


class CrowdSet(NamedTuple):
    task: list[str]
    worker: list[str]
    label: list[str]
    gold: dict[str, str]

    def votes(self, rows=slice(None)) -> Votes:
        return Votes.of(self.task[rows], self.worker[rows], self.label[rows])

    def known(self, votes: Votes) -> list[str | None]:
        return [self.gold.get(item) for item in votes.items]


def read_crowd_set(data: Path, name: str) -> CrowdSet:
    with (data / "crowd" / f"{name}.labels.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["task"], row["worker"], row["label"]) for row in csv.DictReader(file)]
    with (data / "crowd" / f"{name}.gold.csv").open(encoding="utf-8", newline="") as file:
        gold = {row["task"]: row["gold"] for row in csv.DictReader(file)}
    return CrowdSet(*(list(column) for column in zip(*rows, strict=True)), gold)
