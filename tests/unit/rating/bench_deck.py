"""Measures deck lookup at a million random prefixes, beside the ways not taken (decision 0003).

Run: python tests/unit/rating/bench_deck.py [rows]. Not a test: figures depend on the machine.
"""

import gc
import os
import random
import resource
import sys
import tempfile
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path

from landline.rating.deck_file import Deck, DeckMeta, DeckRow, write_deck
from landline.rating.price import affordable_seconds, price_micros
from landline.rating.tariff import Price, Tariff, Tier, Window, always

ROUNDS = 200_000


def random_prefixes(count: int, rng: random.Random) -> list[str]:
    found: set[str] = set()
    while len(found) < count:
        found.add(f"{rng.randrange(10, 10 ** rng.randint(3, 10))}")
    return sorted(found)


def resident_kib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def measured(name: str, call: Callable[[str], object], numbers: list[str]) -> None:
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        for number in numbers:
            call(number)
        best = min(best, time.process_time() - began)
    print(f"{name:34s} {best / len(numbers) * 1e6:7.2f} us a lookup (CPU)")


def dict_per_length(prefixes: list[str]) -> Callable[[str], int | None]:
    tables: dict[int, dict[str, int]] = {}
    for index, prefix in enumerate(prefixes):
        tables.setdefault(len(prefix), {})[prefix] = index
    lengths = sorted(tables, reverse=True)

    def find(number: str) -> int | None:
        digits = number[1:]
        for length in lengths:
            index = tables[length].get(digits[:length])
            if index is not None:
                return index
        return None

    return find


def array_per_length(prefixes: list[str]) -> Callable[[str], int | None]:
    tables: dict[int, array[int]] = {}
    for prefix in prefixes:
        tables.setdefault(len(prefix), array("Q")).append(int(prefix))
    lengths = sorted(tables, reverse=True)

    def find(number: str) -> int | None:
        digits = number[1:]
        for length in lengths:
            table, wanted = tables[length], int(digits[:length])
            at = bisect_left(table, wanted)
            if at < len(table) and table[at] == wanted:
                return at
        return None

    return find


def alternatives(prefixes: list[str], numbers: list[str]) -> None:
    for name, build in (("dict per length", dict_per_length), ("sorted array per length", array_per_length)):
        gc.collect()
        before = resident_kib()
        began = time.perf_counter()
        find = build([prefix + "" for prefix in map("".join, prefixes)])
        print(
            f"{name}: built in {time.perf_counter() - began:.2f} s, +{(resident_kib() - before) // 1024} MiB"
        )
        measured(name, find, numbers)
        del find


def engine() -> None:
    price = Price.of("0.15", Tier.of(0, "0.12", 60), Tier.of(60, "0.10", 1))
    peak = Window(0b11111, 8 * 3600, 20 * 3600, price, 1)
    tariffs = {
        "untimed, one tier": Tariff("EUR", (always(Price.of("0.15", Tier.of(0, "0.0123", 1))),)),
        "untimed, two tiers": Tariff("EUR", (always(price),)),
        "timed, two windows": Tariff("EUR", (peak, always(price)), timezone="Europe/Madrid"),
    }
    began = ["+"] * 50_000
    for name, tariff in tariffs.items():
        measured(f"price, {name}", lambda _, t=tariff: price_micros(t, 1.7e9, 125), began)  # type: ignore[misc]
        measured(
            f"affordable, {name}",
            lambda _, t=tariff: affordable_seconds(t, 1.7e9, 1_000_000, 10_800),  # type: ignore[misc]
            began,
        )


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rng = random.Random(7)
    prefixes = random_prefixes(rows, rng)
    prices = [Price.of("0", Tier.of(0, f"0.{n:04d}", 1)) for n in range(2_000)]
    numbers = ["+" + (rng.choice(prefixes) + f"{rng.randrange(10**9):09d}")[:12] for _ in range(ROUNDS)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deck"
        began = time.perf_counter()
        made = (DeckRow("+" + p, f"Place {i % 2000}", prices[i % 2000]) for i, p in enumerate(prefixes))
        sha = write_deck(path, DeckMeta("bench", 1, "EUR"), made)
        print(
            f"written in {time.perf_counter() - began:.2f} s, {path.stat().st_size / 2**20:.1f} MiB on disk"
        )
        before, began = resident_kib(), time.perf_counter()
        with Deck.open(path, sha) as deck:
            print(f"opened with checksum in {(time.perf_counter() - began) * 1e3:.1f} ms")
            measured(f"mapped deck, {rows} rows", deck.find, numbers)
            print(f"resident after use: +{(resident_kib() - before) // 1024} MiB, shared pages included")
    alternatives(prefixes, numbers)
    engine()
    print(f"peak resident {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main()
