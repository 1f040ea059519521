"""Redis as every service uses it: connect by settings (single, Sentinel, Cluster) and check durability.

Retries. A command whose reply was lost may have been carried out. So nothing sent here is repeated by the
client: `retries=0` for everything but connecting. Who repeats is who knows: our Lua scripts (chassis.lua)
are idempotent by call id, attempt, revision or sequence, and are repeated once after a lost connection;
stream consumers repeat whole batches, which their handlers allow.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from landline.chassis.batch import AutoBatch
from landline.chassis.settings import Settings

__all__ = ["AnyRedis", "AutoBatch", "connect", "durability_gaps"]

AnyRedis = Redis | RedisCluster

# RESP2: one shape of reply on every server we support; RESP3's maps and pushes buy us nothing.
_COMMON: dict[str, Any] = {
    "decode_responses": False,
    "protocol": 2,
    "socket_timeout": 5.0,
    "socket_connect_timeout": 2.0,
    "socket_keepalive": True,
}
_REQUIRED = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
_LEAST = "min-replicas-to-write"


async def connect(settings: Settings) -> AnyRedis:
    """A client by `redis_mode`. Connections open on first use; on Cluster the slots are read now.

    Raises redis.exceptions.RedisError when a Cluster cannot be reached.
    """
    if settings.redis_mode == "cluster":
        cluster: RedisCluster = RedisCluster.from_url(settings.redis_url, retry=_no_repeat(), **_COMMON)
        await cluster.initialize()
        return cluster
    if settings.redis_mode == "sentinel":
        return _by_sentinel(settings)
    return Redis.from_url(settings.redis_url, retry=_no_repeat(), max_connections=200, **_COMMON)


def _no_repeat() -> Retry:
    return Retry(NoBackoff(), 0)


class _Watched(Redis):
    """The primary that Sentinels name; closing it closes the connections to them too."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        manager: Sentinel = self.connection_pool.sentinel_manager  # type: ignore[attr-defined]
        for watcher in manager.sentinels:
            await watcher.aclose()


def _by_sentinel(settings: Settings) -> Redis:
    watchers = []
    for address in settings.redis_sentinels.split(","):
        host, _, port = address.strip().rpartition(":")
        watchers.append((host, int(port)))
    named = Redis.from_url(settings.redis_url).connection_pool.connection_kwargs
    account = {name: named[name] for name in ("username", "password", "db") if named.get(name)}
    sentinel = Sentinel(watchers, sentinel_kwargs={"socket_timeout": 2.0})  # type: ignore[no-untyped-call]
    master: Redis = sentinel.master_for(
        settings.redis_sentinel_name, redis_class=_Watched, retry=_no_repeat(), **_COMMON, **account
    )
    return master


async def durability_gaps(redis: AnyRedis, replicas: int = 0) -> list[str]:
    """What of `appendonly yes, appendfsync always, maxmemory-policy noeviction` is missing, per node.

    Where replicas must confirm, a primary must also refuse writes that no replica could see.

    Empty when all is well. A server that refuses CONFIG (managed Redis) answers one gap that says so.
    Source: architecture 3.2; a process is not ready while there is a gap.
    """
    if isinstance(redis, RedisCluster):
        nodes = redis.get_primaries()
        found = [await redis.config_get(*_REQUIRED, _LEAST, target_nodes=node) for node in nodes]
        gaps = [_gaps(given, f"{node.name}: ", replicas) for node, given in zip(nodes, found, strict=True)]
        return [gap for node_gaps in gaps for gap in node_gaps]
    try:
        return _gaps(await redis.config_get(*_REQUIRED, _LEAST), "", replicas)
    except RedisError as error:
        return [f"CONFIG GET: {error}"]


def _gaps(given: dict[Any, Any], prefix: str, replicas: int) -> list[str]:
    have = {_text(name): _text(value) for name, value in given.items()}
    lonely = bool(replicas) and have.get(_LEAST, "0") == "0"
    return ([f"{prefix}{_LEAST} is 0, must be at least 1"] if lonely else []) + [
        f"{prefix}{name} is {have.get(name, 'unknown')}, must be {wanted}"
        for name, wanted in _REQUIRED.items()
        if have.get(name) != wanted
    ]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
