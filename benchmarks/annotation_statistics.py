"""How fast agreement and aggregation are, in what memory, and how right the aggregated labels are.

    python benchmarks/annotation_statistics.py --data DIR [--parts agreement aggregation accuracy]

Agreement: a project of `--items` items, each judged by ten of 101 people with one of five values, in 20 domains and two
rounds; every figure with its interval. Aggregation: processor seconds for 10,000 labels (2,000 items, 200 people, five
values), the median of `--repeats`. Accuracy: the public sets in `--data`, one NAME.labels.csv (task,worker,label) and
NAME.gold.csv (task,gold) each, in per cent of the items with a known answer, ties broken at random.
"""

from __future__ import annotations

import argparse
import csv
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from instructglm.annotation.aggregation import MODELS, Votes
from instructglm.annotation.agreement import Judgements, agreement_of_project

NUM_PEOPLE, PER_ITEM, NUM_VALUES, NUM_DOMAINS = 101, 10, 5, 20  # a prime, so that steps of any length meet anew


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    given = parser.parse_args()
    for part in given.parts:
        PARTS[part](given)


def agreement(given: argparse.Namespace) -> None:
    columns = made_up(given.items, NUM_PEOPLE)
    print(f"{given.items:,} items, {given.items * PER_ITEM:,} judgements")
    print("| level | columns to numbers, s | all figures, s | peak memory, MiB |\n|---|---|---|---|")
    for level in ("nominal", "ordinal", "interval"):
        judgements, reading = timed(lambda level=level: Judgements.of(**columns, level=level), time.perf_counter)
        _, figures = timed(
            lambda judgements=judgements: agreement_of_project(judgements, np.random.default_rng(1)), time.perf_counter
        )
        print(f"| {level} | {reading:.2f} | {figures:.2f} | {peak_mib():.0f} |", flush=True)


def made_up(num_items: int, num_people: int) -> dict[str, Any]:
    """People who know the answer in 50 to 95 of 100 cases and else guess; one judgement in twenty is a second one."""
    rng = np.random.default_rng(0)
    item = np.repeat(np.arange(num_items), PER_ITEM)
    first, stride = rng.integers(num_people, size=num_items), rng.integers(1, num_people, size=num_items)
    person = (first[:, None] + stride[:, None] * np.arange(PER_ITEM)).ravel() % num_people
    knows = rng.random(len(item)) < rng.uniform(0.5, 0.95, num_people)[person]
    truth = rng.integers(NUM_VALUES, size=num_items)
    value = np.where(knows, truth[item], rng.integers(NUM_VALUES, size=len(item)))
    second = rng.choice(np.flatnonzero(item % 10 == 0), len(item) // 20, replace=False)
    rows = np.concatenate([np.arange(len(item) - len(second)), second])  # as many judgements as announced
    return {
        "item": item[rows],
        "annotator": person[rows],
        "value": value[rows],
        "domain": item[rows] % NUM_DOMAINS,
        "round": np.repeat([1, 2], [len(item) - len(second), len(second)]),
    }


def aggregation(given: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    item, person = np.repeat(np.arange(2_000), 5), rng.integers(200, size=10_000)
    knows = rng.random(10_000) < rng.uniform(0.4, 0.95, 200)[person]
    value = np.where(knows, rng.integers(NUM_VALUES, size=2_000)[item], rng.integers(NUM_VALUES, size=10_000))
    votes = Votes.of(item, person, value)
    print("\n| model | rounds | CPU s for 10,000 labels |\n|---|---|---|")
    for name, model in MODELS.items():
        runs = [timed(lambda model=model: model(votes, np.random.default_rng(0)), time.process_time)
                for _ in range(given.repeats)]  # fmt: skip
        print(f"| {name} | {runs[0][0].num_iterations} | {statistics.median(run[1] for run in runs):.4f} |", flush=True)


def accuracy(given: argparse.Namespace) -> None:
    names = sorted(path.name.removesuffix(".labels.csv") for path in given.data.glob("*.labels.csv"))
    print(f"\n| set | {' | '.join(MODELS)} |\n|---|{'---|' * len(MODELS)}")
    for name in names:
        rows, gold = (read(given.data / f"{name}.{kind}.csv") for kind in ("labels", "gold"))
        votes = Votes.of(*([row[column] for row in rows] for column in ("task", "worker", "label")))
        answers = {row["task"]: row["gold"] for row in gold}
        if not set(answers.values()) <= set(votes.labels):
            continue  # a scale, whose answers are means
        known = [answers.get(item) for item in votes.items]
        shares = [model(votes, np.random.default_rng(0)).accuracy(known) for model in MODELS.values()]
        print(f"| {name} | {' | '.join(f'{100 * (share or 0):.1f}' for share in shares)} |", flush=True)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def timed(call: Callable[[], Any], clock: Callable[[], float]) -> tuple[Any, float]:
    started = clock()
    return call(), clock() - started


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


PARTS = {"agreement": agreement, "aggregation": aggregation, "accuracy": accuracy}

if __name__ == "__main__":
    main()
