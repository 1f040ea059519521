"""What stands in the streams of a running stack: for tests that wait until everybody has read everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import redis
from landline.contracts.streams import READERS


def waiting(store: redis.Redis) -> dict[str, int]:
    """`<stream> <group>` -> entries undelivered or not acknowledged, of those that have any."""
    found = {}
    for stream, groups in READERS.items():
        if not store.exists(stream):
            continue
        known: Any = store.xinfo_groups(stream)
        for group in known:
            name = group["name"].decode()
            left = group["pending"] + undelivered(store, stream, group)
            if name in groups and left:
                found[f"{stream} {name}"] = left
    return found


def undelivered(store: redis.Redis, stream: str, group: dict[str, Any]) -> int:
    """Entries after the group's last delivered one; the server's own `lag` may be unknown after a restart."""
    last = group["last-delivered-id"].decode()
    entries: Any = store.xrange(stream, min=f"({last}", count=10_000)
    return len(entries)


def all_read(store: redis.Redis) -> bool:
    """Whether every registered group has read and acknowledged all there is."""
    return not waiting(store)


def dead_letters(store: redis.Redis) -> Iterator[tuple[str, str]]:
    """Stream and reason of every dead letter."""
    for key in store.scan_iter("*:dead:*", count=1000):
        entries: Any = store.xrange(key)
        for _, fields in entries:
            yield key.decode(), fields.get(b"reason", b"").decode()
