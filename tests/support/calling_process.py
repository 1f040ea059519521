"""A worker of its own: `python -m tests.support.calling_process '<JSON spec>'` makes calls as fast as it can.

Spec: {url, seed, clients, brand_max, client_max, limit_micros, calls}. Says `ready`, waits for a line, then
admits, answers, extends and ends; prints {"admitted", "refused": {status: n}, "peak"} as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from random import Random
from typing import Any

from call_control.adapters.call_store import CallStore
from call_control.adapters.scripts import load_all
from call_control.app.keep_leases import keep_once
from call_control.app.record_answer import record_answer
from call_control.app.record_end import EndReport, record_end
from call_control.app.take_hold import admit_with_hold
from call_control.domain.live_call import Terms
from call_control.domain.replies import Status
from landline.chassis.redis import AutoBatch, connect
from landline.chassis.settings import Settings

from tests.support.calls import NOON_MS, new_call
from tests.support.money_world import KEY, SILENT_MS

LANES = 16


class Worker:
    """One process' share of the calls."""

    def __init__(self, spec: dict[str, Any], calls: CallStore) -> None:
        self.spec, self.calls, self.random = spec, calls, Random(spec["seed"])
        self.left = int(spec["calls"])
        self.admitted = 0
        self.refused: Counter[str] = Counter()

    async def run(self) -> None:
        """All lanes, and a keeper that competes with those of the others."""
        keeper = asyncio.create_task(self._keep())
        await asyncio.gather(*(self._lane() for _ in range(LANES)))
        keeper.cancel()

    async def _keep(self) -> None:
        while True:
            await keep_once(self.calls, NOON_MS + 50_000, SILENT_MS)
            await asyncio.sleep(0.01)

    async def _lane(self) -> None:
        while self.left > 0:
            self.left -= 1
            client = self.random.choice(self.spec["clients"])
            terms = Terms(rule=client["rule"], limit_micros=self.spec["limit_micros"])
            new = new_call(
                3, NOON_MS, terms, client_id=client["id"], billing_method=client["rule"],
                client_max_calls=self.spec["client_max"], brand_max_calls=self.spec["brand_max"],
            )  # fmt: skip
            reply = await admit_with_hold(self.calls, new, NOON_MS)
            if reply.status is not Status.ADMITTED:
                self.refused[reply.status.value] += 1
                continue
            self.admitted += 1
            await self._talk(new.facts.call_id)

    async def _talk(self, call_id: str) -> None:
        ends_ms = NOON_MS + self.random.randrange(1_000, 55_000)
        if self.random.random() < 0.8:
            await record_answer(self.calls, call_id, NOON_MS, None, NOON_MS, SILENT_MS)
            await asyncio.sleep(self.random.random() / 50)
        await record_end(self.calls, call_id, EndReport(ends_ms), ends_ms, KEY)
        if self.random.random() < 0.3:
            await record_end(self.calls, call_id, EndReport(ends_ms + 900), ends_ms, KEY)


async def main(spec: dict[str, Any]) -> None:
    """Wait for the start, work, tell."""
    redis = await connect(Settings(redis_url=spec["url"], _env_file=None))
    await load_all(redis)
    batch = AutoBatch(redis)
    worker = Worker(spec, CallStore(batch))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    begun = time.monotonic()
    await worker.run()
    seconds = round(time.monotonic() - begun, 2)
    print(json.dumps({"admitted": worker.admitted, "refused": dict(worker.refused), "seconds": seconds}))
    await batch.aclose()
    await redis.aclose()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
