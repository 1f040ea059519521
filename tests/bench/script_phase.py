"""admit_call.lua alone on the bench's own Valkey: commands by the worker's code, sent by plain sockets."""

from __future__ import annotations

import json
from typing import Any, cast

import uvloop
from call_control.main import app as call_control_app
from call_control.wiring import Parts
from landline.chassis.redis import AutoBatch
from landline.chassis.settings import Settings
from landline.kernel.ids import new_id

from tests.bench.bare_script import Kept, drive
from tests.bench.in_process import ask
from tests.bench.world import BenchWorld
from tests.support.stack import Stack

DEPTHS = ((1, 1), (16, 1), (16, 4))
"""Commands on their way on a connection, connections."""


def measure(stack: Stack, world: BenchWorld, count: int) -> dict[str, Any]:
    """Calls/s, Valkey's CPU and the time of a round, by depth and connections."""
    packed = uvloop.run(_commands(stack, world, count * len(DEPTHS)))
    server = stack.processes()["valkey"]
    found = {}
    for at, (depth, connections) in enumerate(DEPTHS):
        mine = packed[at * count : (at + 1) * count]
        name = f"{connections} x {depth}"
        found[name] = drive(stack.redis_url(), server, mine, depth, connections)
    return found


async def _commands(stack: Stack, world: BenchWorld, count: int) -> list[bytes]:
    """As many admissions as asked for, kept instead of sent."""
    environment = stack.processes()["web"].environ()
    fields = {name.removeprefix("LANDLINE_").lower(): value for name, value in environment.items()
              if name.startswith("LANDLINE_")}  # fmt: skip
    made = call_control_app(Settings(**{k: v for k, v in fields.items() if k in Settings.model_fields}))  # type: ignore[arg-type]
    async with made.router.lifespan_context(made):
        parts: Parts = made.state.parts
        await ask(made, "/calls", _body(world, 0), world.edge_key)  # the directory and the rates are read
        kept = Kept()
        real, parts.store.batch = parts.store.batch, cast(AutoBatch, kept)
        for n in range(count):
            status, answer = await ask(made, "/calls", _body(world, n), world.edge_key)
            if status != 200 or b'"allow"' not in answer:
                raise RuntimeError(f"not allowed: {answer!r}")
        parts.store.batch = real
    return [each for each in kept.packed if each.startswith(b"*") and b"EVALSHA" in each[:40]]


def _body(world: BenchWorld, n: int) -> bytes:
    request = {**world.request(n), "attempt_id": new_id(), "request_user": f"0034600{n % 10_000:06d}"}
    return json.dumps(request).encode()
