"""Worker processes side by side, as behind a load balancer: no total exceeds its limit, no counter is off."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from call_control.adapters.keys import keys_of
from call_control.app.reconcile import find_drifts
from call_control.domain.replies import ClientUsage
from landline.contracts.call_control.events import CallAdmitted, CallEnded

from tests.support.money_world import World

WORKERS = 3
PARTITION = 3
CLIENT_MAX, BRAND_MAX = 5, 8
LIMIT = 30_000_000
BALANCE = 20_000_000
CLIENTS = [
    {"id": "home-1", "rule": "prepaid"},
    {"id": "home-2", "rule": "postpaid"},
    {"id": "home-3", "rule": "prepaid"},
]


async def started(spec: dict[str, Any]) -> asyncio.subprocess.Process:
    """A worker that waits for its start."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.calling_process", json.dumps(spec),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def test_workers_in_parallel_keep_every_limit_and_every_counter(world: World, stores: Any) -> None:
    """Three processes, 48 calls in flight, three keepers: watched meanwhile, and added up afterwards."""
    for client in CLIENTS:
        await world.post(BALANCE, client["id"], partition=PARTITION)
    spec = {"url": stores.redis_url, "clients": CLIENTS, "brand_max": BRAND_MAX, "client_max": CLIENT_MAX,
            "limit_micros": LIMIT, "calls": 400}  # fmt: skip
    workers = await asyncio.gather(*(started({**spec, "seed": n}) for n in range(WORKERS)))
    peaks: list[tuple[int, ...]] = []
    watching = asyncio.create_task(watch(world, peaks))
    told = [json.loads(out) for out, _ in await asyncio.gather(*(w.communicate(b"go\n") for w in workers))]
    assert not watching.done(), watching.exception()
    watching.cancel()
    assert [w.returncode for w in workers] == [0] * WORKERS
    admitted, ends = [await world.events(kind, PARTITION) for kind in (CallAdmitted.TYPE, CallEnded.TYPE)]
    assert len(admitted) == len({e.call_id for e in admitted}) == sum(each["admitted"] for each in told)
    assert sorted(e.call_id or "" for e in ends) == sorted(e.call_id or "" for e in admitted), "one end each"
    refused = {status for each in told for status in each["refused"]}
    assert refused & {"MAX_CALLS_CLIENT", "MAX_CALLS_BRAND"}, "there was a crowd at the door"
    assert max(max(clients) for *clients, _ in peaks) <= CLIENT_MAX
    assert max(brand for *_, brand in peaks) <= BRAND_MAX
    for client in CLIENTS:
        await settled(world, client["id"], [e.read(CallEnded) for e in ends if e.client_id == client["id"]])
    assert await find_drifts(world.calls, world.counters, [PARTITION], pause_s=0) == []


async def watch(world: World, peaks: list[tuple[int, ...]]) -> None:
    """Counters while it happens; no money is ever overspent."""
    while True:
        usages: list[ClientUsage] = await asyncio.gather(
            *(world.usage(client["id"], PARTITION) for client in CLIENTS)
        )
        brand = await world.batch.execute("HGET", keys_of(PARTITION).brand("brand-1"), "active")
        peaks.append((*(usage.active_calls for usage in usages), int(brand or 0)))
        for client, usage in zip(CLIENTS, usages, strict=True):
            assert usage.day_spend_micros + usage.day_held_micros <= LIMIT
            assert client["rule"] == "postpaid" or usage.available_micros >= 0


async def settled(world: World, client_id: str, ends: list[CallEnded]) -> None:
    """All slots and holds are back; what was charged waits to be posted and is the day's spend."""
    usage = await world.usage(client_id, PARTITION)
    charged = sum(end.charge_micros for end in ends)
    assert (usage.active_calls, usage.held_micros, usage.day_held_micros) == (0, 0, 0)
    assert (usage.unposted_micros, usage.day_spend_micros) == (charged, charged)
    assert charged <= LIMIT
