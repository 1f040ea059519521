"""Walking over the read model a little at a time: a pool of a million numbers must not hold up a call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from landline.chassis.redis import AutoBatch

from call_control.adapters.call_reads import as_map

FIELDS_AT_ONCE: Final = 500
KEYS_AT_ONCE: Final = 250
MODEL: Final = "*landline:cfg:*"


async def scanned(batch: AutoBatch, pattern: str) -> AsyncIterator[list[str]]:
    """The hashes whose key fits, many at a time: one after the other would be a round trip for each of
    100,000 clients. A key may come twice."""
    found: list[str] = []
    async for raw in batch.redis.scan_iter(match=pattern, count=1000, _type="HASH"):
        found.append(raw.decode())
        if len(found) >= KEYS_AT_ONCE:
            yield found
            found = []
    if found:
        yield found


async def fields(batch: AutoBatch, key: str) -> AsyncIterator[dict[bytes, bytes]]:
    """A hash some fields at a time. A field may come twice."""
    cursor: Any = b"0"
    while True:
        cursor, page = await batch.execute("HSCAN", key, cursor, "COUNT", FIELDS_AT_ONCE)
        yield as_map(page)
        if int(cursor) == 0:
            return
