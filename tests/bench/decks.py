"""Rate decks as a worker has them: look-ups in a large one, memory of many, a change under traffic.

`python -m tests.bench.decks ROWS DECKS DECK_ROWS` measures the first two in a process of its own (JSON).
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from landline.chassis.embedded.rest_client import RestClient
from landline.rating.deck_file import Deck, DeckMeta, DeckRow, write_deck
from landline.rating.price import price_micros
from landline.rating.tariff import Price, Tariff, Tier, always

from tests.bench.world import BenchWorld
from tests.unit.rating.bench_deck import random_prefixes

ROUNDS = 100_000
POLL_S = 0.02
SETTLING_S = 3.0


def measure(rows: int, decks: int, deck_rows: int) -> dict[str, Any]:
    """The figures of `main`, from a fresh process: its memory is what is measured."""
    command = [sys.executable, "-m", "tests.bench.decks", str(rows), str(decks), str(deck_rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return dict(json.loads(done.stdout))


def _deck(path: Path, rows: int, rng: random.Random) -> list[str]:
    """A file of so many random prefixes; numbers that begin with them."""
    prices = [Price.of("0", Tier.of(0, f"0.{n:04d}", 1)) for n in range(2_000)]
    prefixes = random_prefixes(rows, rng)
    made = (DeckRow("+" + each, f"Place {n % 2000}", prices[n % 2000]) for n, each in enumerate(prefixes))
    write_deck(path, DeckMeta("bench", 1, "EUR"), made)
    return ["+" + (rng.choice(prefixes) + f"{rng.randrange(10**9):09d}")[:12] for _ in range(ROUNDS)]


def _lookup_us(deck: Deck, numbers: list[str]) -> float:
    began = time.process_time()
    for number in numbers:
        deck.find(number)
    return (time.process_time() - began) / len(numbers) * 1e6


def _price_us() -> float:
    tariff = Tariff("EUR", (always(Price.of("0.15", Tier.of(0, "0.0123", 1))),))
    began = time.process_time()
    for _ in range(20_000):
        price_micros(tariff, 1.7e9, 125)
    return (time.process_time() - began) / 20_000 * 1e6


def main(rows: int, decks: int, deck_rows: int) -> dict[str, Any]:
    """Microseconds of CPU a look-up in one large deck; memory of many decks, every page of them used."""
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        numbers = _deck(folder / "large", rows, rng)
        with Deck.open(folder / "large") as large:
            lookup_us = min(_lookup_us(large, numbers) for _ in range(3))
        numbers = _deck(folder / "0", deck_rows, rng)
        for n in range(1, decks):
            shutil.copy(folder / "0", folder / str(n))
        me = psutil.Process()
        before = me.memory_full_info().uss
        opened = [Deck.open(folder / str(n)) for n in range(decks)]
        for deck in opened:
            _lookup_us(deck, numbers[:20_000])
        private_mb = (me.memory_full_info().uss - before) / 2**20
        for deck in opened:
            deck.close()
    return {
        "rows": rows, "lookup_us": round(lookup_us, 2), "price_us": round(_price_us(), 2),
        "decks": decks, "deck_rows": deck_rows, "decks_private_mb": round(private_mb, 1),
    }  # fmt: skip


class DeckChange:
    """A new version of the deck is imported while calls go on: when does it act, and who waits for it?"""

    def __init__(self, world: BenchWorld, api: RestClient, asked: dict[str, Any], trail: Path) -> None:
        self._world = world
        self._api = api
        self._asked = asked
        self._trail = trail
        self._published_ms = self._acted_ms = 0.0
        self._thread = threading.Thread(target=self._run)

    def version(self) -> int:
        """Of the deck that a call would be priced by now."""
        found = self._api.post("/api/call-control/v1/simulate", self._asked)
        return int(found["tariff"].get("v", 0))

    def start(self) -> None:
        """Import in the background."""
        self._thread.start()

    def _run(self) -> None:
        before = self.version()
        self._world.import_deck()
        self._published_ms = time.time() * 1000
        while self.version() == before:
            time.sleep(POLL_S)
        self._acted_ms = time.time() * 1000

    def figures(self) -> dict[str, Any]:
        """After the load has ended: delay of the change, and the slowest calls around it."""
        self._thread.join()
        rows = [line.split() for line in self._trail.read_text().splitlines()]
        window = [
            int(took_us) / 1000
            for began_ms, took_us in rows
            if self._published_ms - 500 < float(began_ms) < self._acted_ms + SETTLING_S * 1000
        ]
        window.sort()
        return {
            "acts_after_s": round(max(0.0, self._acted_ms - self._published_ms) / 1000, 3),
            "calls_around": len(window),
            "p99_ms": round(window[int(len(window) * 0.99)], 1) if window else None,
            "peak_ms": round(window[-1], 1) if window else None,
        }


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:]))))
