"""How full Redis is: at 60 % somebody is called, at 80 % what nobody is owed is left out (architecture 3.3).

`noeviction` refuses writes when memory is used up: then no call is admitted at all. What fills it are streams
whose readers are away.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from prometheus_client import Gauge
from redis.asyncio import RedisCluster

from landline.chassis.background import rounds
from landline.chassis.logging import get_logger
from landline.chassis.streams import AnyRedis

LOOK_EVERY_S: Final = 5.0
SHORT_AT: Final = 0.8
ROOM_AGAIN_AT: Final = 0.75
USED = Gauge("landline_redis_memory_used_ratio", "Memory of the fullest Redis node, of its maxmemory")
log = get_logger(__name__)


class RedisMemory:
    """Share one per process. `short` holds from 80 % until there is room again, below 75 %."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self.short = False

    async def run(self, stop: asyncio.Event) -> None:
        """Background work: look every five seconds."""
        await rounds("memory of Redis", self.look, stop, every_s=LOOK_EVERY_S)

    async def look(self) -> float:
        """The share of the fullest primary; 0 where none has a limit. Raises redis errors."""
        ratio = max([_ratio(info) for info in await self._infos()], default=0.0)
        USED.set(ratio)
        short = ratio >= (ROOM_AGAIN_AT if self.short else SHORT_AT)
        if short != self.short:
            log.warning("memory of Redis", used_ratio=round(ratio, 3), short=short)
        self.short = short
        return ratio

    async def _infos(self) -> list[dict[str, Any]]:
        if not isinstance(self._redis, RedisCluster):
            return [await self._redis.info("memory")]
        found = await self._redis.info("memory", target_nodes=RedisCluster.PRIMARIES)
        return list(found.values()) if "used_memory" not in found else [found]


def _ratio(info: dict[str, Any]) -> float:
    most = int(info.get("maxmemory", 0))
    return int(info["used_memory"]) / most if most else 0.0
