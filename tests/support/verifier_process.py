"""A process of its own that verifies tokens, as call-control does: a token a line in, a verdict out."""

from __future__ import annotations

import asyncio
import json
import sys

from landline.chassis.problems import Problem
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from landline.chassis.token_verifier import TokenVerifier


async def main() -> None:
    """Say `ready` once revocations are known; then a JSON verdict per line."""
    settings = Settings(_env_file=None)
    redis = await connect(settings)
    verifier, stop = TokenVerifier(settings, redis), asyncio.Event()
    tail = asyncio.create_task(verifier.run(stop))
    while verifier.missing():
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        try:
            who = await verifier.verify(line.strip())
            print(json.dumps([who.level, who.brand_id, who.client_id, who.username]), flush=True)
        except Problem as problem:
            print(json.dumps(problem.code), flush=True)
    stop.set()
    await tail
    await redis.aclose()


if __name__ == "__main__":
    asyncio.run(main())
