"""At 80 % of its memory Redis is kept for calls and money; refused calls are told to their edge only."""

from __future__ import annotations

from pathlib import Path

from landline.chassis.embedded.stores import Stores

from tests.support import configured as c
from tests.support.outbound_story import telling


async def test_calls_go_on_and_nobody_is_told_of_refused_and_ringing_ones(
    fresh_stores: Stores, tmp_path: Path
) -> None:
    """noeviction: at 100 % no call is admitted, so what nobody is owed stops before."""
    async with telling(fresh_stores.valkey.url(), tmp_path) as story:
        used = int((await story.parts.redis.info("memory"))["used_memory"])
        await story.parts.redis.config_set("maxmemory", int(used / 0.85))
        await story.parts.memory.look()
        assert (await story.call(request_user="alice"))["reason"] == "invalid_number"
        call = await story.call()
        assert await story.report(call, "ringing") == 204
        await story.talk(call, 60)
        assert await story.events("call.rejected.v1") == []
        assert await story.events("call.ringing.v1") == []
        for kind in ("call.admitted.v1", "call.answered.v1", "call.ended.v1"):
            assert len(await story.events(kind)) == 1, kind
        assert (await story.usage())["rejected"] == 1, "it is counted all the same"
        await story.parts.redis.config_set("maxmemory", 0)
        await story.parts.memory.look()
        await story.call(request_user="alice", attempt_id=c.call()["attempt_id"])
        assert len(await story.events("call.rejected.v1")) == 1
