"""One node of a Cluster by itself: what it has is read whatever becomes of the others.

redis-py closes the connections to all nodes when one of them fails, so that a client which asks a dead node
again and again disturbs those that live. A consumer therefore has a connection of its own to each node.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError


def client_of(cluster: RedisCluster, name: str) -> Redis:
    """A client of one node alone, for keys that it has; whoever asks for it closes it."""
    node: Any = cluster.get_node(node_name=name)
    pool: Any = ConnectionPool(connection_class=node.connection_class, **node.connection_kwargs)
    client: Redis = Redis.from_pool(pool)
    return client


def by_node(cluster: RedisCluster, keys: Iterable[str]) -> dict[str, list[str]]:
    """Name of a node -> which of the keys it has, as far as this client knows; "" for what nobody has."""
    found: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        name = ""
        with contextlib.suppress(RedisError):
            node = cluster.get_node_from_key(key)
            name = node.name if node is not None else ""
        found[name].append(key)
    return dict(found)


async def look_around(cluster: RedisCluster) -> None:
    """Ask anew who has which slots; without an answer everything stays as it was."""
    with contextlib.suppress(RedisError, OSError):
        await cluster.nodes_manager.initialize()
