"""How fast near-duplicates are found while one types, in what memory, and how rightly.

    python benchmarks/collecting.py --data FILE.jsonl... [--place PLACE] [--instructions 100000] [--queries 500]

Imports the instructions of the files (alpaca records) and, until there are enough, halves of two of them put together,
which makes neighbours that are much more alike than instructions are. Then: building the index, a search for prefixes
and for altered copies of instructions as they would be typed (each reads the database for what came since, and compares
what it finds exactly), the share of searches that tell what comparing with all instructions tells, the groups of
near-duplicates, the coverage table, diversity, and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from instructglm.annotation.collecting.assessment import assess
from instructglm.annotation.collecting.coverage import coverage
from instructglm.annotation.collecting.diversity import diversity
from instructglm.annotation.collecting.index import InstructionIndex
from instructglm.annotation.collecting.shingles import jaccard, shingles
from instructglm.annotation.store import Store, open_store
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import create_project

LEVELS, NUM_DOMAINS = ("easy", "medium", "hard"), 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--place", help="a path or the URL of an empty database; default: a temporary SQLite file")
    parser.add_argument("--instructions", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--compared", type=int, default=40, help="searches that are compared with brute force")
    given = parser.parse_args()
    texts = list(islice(made_up(given.data), given.instructions))
    with tempfile.TemporaryDirectory() as folder:
        place = given.place or str(Path(folder) / "annotations.db")
        with open_store(place, create=True) as store:
            project = create_project(store, "benchmark")
            import_records(store, project, records(texts))
            print(f"{store.engine.dialect.name}, {len(texts):,} instructions, mean {mean_length(texts):.0f} characters")
            print("| what | figure |\n|---|---|")
            measure(store, project, texts, given.queries, given.compared)


def made_up(files: Sequence[Path]) -> Iterator[str]:
    """All instructions of the files; then the first half of one and the second half of another, none twice."""
    found = (json.loads(line) for file in files for line in file.read_text("utf-8").splitlines())
    texts = list(dict.fromkeys("\n\n".join(filter(None, (one["instruction"], one.get("input")))) for one in found))
    yield from texts
    rng, seen = np.random.default_rng(0), set(texts)
    while True:
        one, other = (texts[number] for number in rng.integers(len(texts), size=2))
        text = one[: len(one) // 2] + other[len(other) // 2 :]
        if text.strip() and text not in seen:
            seen.add(text)
            yield text


def records(texts: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for number, text in enumerate(texts):
        domain, level = f"domain {number % NUM_DOMAINS}", LEVELS[number % len(LEVELS)]
        yield str(number), {"instruction": text, "domain": domain, "complexity": level, "language": "en"}


def mean_length(texts: Sequence[str]) -> float:
    return statistics.mean(map(len, texts))


def measure(store: Store, project: int, texts: Sequence[str], num_queries: int, num_compared: int) -> None:
    index = InstructionIndex(store, project)
    tell("building the index", f"{timed(index.refresh)[1]:.1f} s")
    for name, queries in (("a prefix", prefixes(texts, num_queries)), ("an altered copy", altered(texts, num_queries))):
        times = [timed(lambda text=text: index.nearest(text))[1] * 1000 for text in queries]
        tell(f"search for {name}: median, p95, worst of {num_queries}", spread(times))
    tell("search for a text of 1 MB: median of 5", f"{megabyte(index):.1f} ms")
    tell(f"searches that tell what brute force tells, of {num_compared}", str(right(index, texts, num_compared)))
    added = [("1", {"instruction": "A new instruction that nobody has typed before."})]
    import_records(store, project, added)
    tell("search right after an import of one", f"{timed(lambda: index.nearest('A new instruction'))[1] * 1000:.1f} ms")
    groups, took = timed(index.clusters)
    tell("groups of near-duplicates", f"{took:.1f} s ({len(groups):,} groups of {sum(map(len, groups)):,})")
    tell("coverage table", f"{timed(lambda: coverage(store, project))[1]:.2f} s")
    tell("diversity by n-gram", f"{timed(lambda: diversity(texts, np.random.default_rng(0)))[1]:.1f} s")
    _, took = timed(lambda: assess(store, project, np.random.default_rng(0), index=index))
    tell("all of `annotate coverage` but the index", f"{took:.1f} s")
    tell("peak memory of the process", f"{peak_mib():.0f} MiB")


def prefixes(texts: Sequence[str], number: int) -> list[str]:
    rng = np.random.default_rng(1)
    chosen = (texts[one] for one in rng.integers(len(texts), size=number))
    return [text[: max(8, round(len(text) * rng.random()))] for text in chosen]


def altered(texts: Sequence[str], number: int) -> list[str]:
    """Copies in which one character in thirty is another."""
    rng = np.random.default_rng(2)
    copies = []
    for one in rng.integers(len(texts), size=number):
        characters = list(texts[one])
        for place in rng.integers(len(characters), size=max(1, len(characters) // 30)):
            characters[place] = chr(rng.integers(ord("a"), ord("z") + 1))
        copies.append("".join(characters))
    return copies


def megabyte(index: InstructionIndex) -> float:
    text = "Is this lawful? 这合法吗？" * 50_000
    return statistics.median(timed(lambda: index.nearest(text))[1] * 1000 for _ in range(5))


def right(index: InstructionIndex, texts: Sequence[str], number: int) -> int:
    """How often the five nearest of at least 0.5 are, by their similarities, those of a comparison with all."""
    sets = [shingles(text) for text in texts]
    same = 0
    for text in altered(texts, number):
        wanted = shingles(text)
        exact = sorted((jaccard(wanted, one) for one in sets), reverse=True)[:5]
        found = [one.similarity for one in index.nearest(text, 5, at_least=0.5)]
        same += found == [similarity for similarity in exact if similarity >= 0.5]
    return same


def spread(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.1f}, {np.quantile(times, 0.95):.1f}, {max(times):.1f} ms"


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def tell(what: str, figure: str) -> None:
    print(f"| {what} | {figure} |", flush=True)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
