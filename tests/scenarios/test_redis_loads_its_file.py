"""A Redis that reads its file answers every command with -LOADING: 503 for callers, and quiet logs."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

from landline.chassis.embedded.stores import Stores

from tests.support import configured as c
from tests.support.inbound_story import PROVIDER_IP
from tests.support.outbound_story import API, operator, telling

SLOWLY = {"key-load-delay": "4000", "loading-process-events-interval-bytes": "1024"}
"""Microseconds a key, so that a thousand keys take seconds; commands are heard after every kilobyte."""


async def test_nobody_complains_of_errors_that_were_answered(fresh_stores: Stores, tmp_path: Path) -> None:
    """Commands sent together fail together: each error that nobody looked at was a traceback in web.log,
    hundreds of them in the seconds in which an operator reads it."""
    unheard: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: unheard.append(str(said["message"])))
    try:
        async with telling(fresh_stores.valkey.url(), tmp_path) as story:
            await story.parts.redis.mset({f"landline:filler:{n}": "x" * 100 for n in range(1000)})
            await _rewritten(story.parts.redis)
            await story.call()  # so that edges and facts are in memory
            fresh_stores.valkey.kill()
            fresh_stores.valkey._settings.update(SLOWLY)
            starting = asyncio.create_task(asyncio.to_thread(fresh_stores.valkey.start))
            answers: list[int] = []
            while not starting.done():
                answers += await asyncio.gather(*(_ask(story, n) for n in range(4)))
            await starting
            assert answers.count(503) > 10, "it was loading while we asked"
            assert (await story.call())["decision"] in ("allow", "deny")
        gc.collect()
        await asyncio.sleep(0)
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
    assert unheard == []


async def _rewritten(redis: Any) -> None:
    """Into the base file: commands are heard between its keys, not between those of the log behind it."""
    await redis.bgrewriteaof()
    while (await redis.info("persistence"))["aof_rewrite_in_progress"]:
        await asyncio.sleep(0.05)


async def _ask(story: Any, which: int) -> int:
    """Something that reads several keys: a call out, one in, a wrong password, a REGISTER."""
    register = {
        "auth_user": "casa1",
        "auth_realm": c.DOMAIN,
        "contact": "sip:casa1@192.0.2.9",
        "expires_s": 60,
    }
    failure = {"user": "casa1", "domain": c.DOMAIN, "source_ip": "192.0.2.66"}
    inbound = {"direction": "inbound", "source_ip": PROVIDER_IP, "auth_user": None, "request_user": c.NUMBER}
    asked = [
        ("/calls", c.call()),
        ("/calls", c.call(**inbound)),
        ("/auth-failures", failure),
        ("/registrations", {**register, "source_ip": "192.0.2.9"}),
    ]
    answer = await story.post(*asked[which])
    await story.http.get(f"{API}/clients/{c.CLIENT}/usage", headers=operator())
    return int(answer.status_code)
