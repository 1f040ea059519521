"""Where registered devices are reached now: one Redis hash per device, contact URI -> KeptContact as JSON,
gone with the last of its contacts. Edges report every REGISTER."""

from __future__ import annotations

import msgspec
from landline.chassis.redis import AutoBatch

from call_control.adapters.call_reads import as_map
from call_control.adapters.keys import keys_of
from call_control.domain.facts import Contact, KeptContact

MOST_CONTACTS = 10


_encode = msgspec.json.Encoder().encode
_kept = msgspec.json.Decoder(KeptContact)


class Registrations:
    """Contacts by device."""

    def __init__(self, batch: AutoBatch) -> None:
        self._batch = batch

    async def contacts(self, partition: int, device_id: str) -> tuple[Contact, ...]:
        """The contacts of a device, the one that expires last first; expired ones may be among them."""
        found = sorted(await self.kept(partition, device_id), key=lambda c: c.expires_at_ms, reverse=True)
        return tuple(
            Contact(uri=c.uri, received=c.received, path=c.path, edge=c.edge, expires_at_ms=c.expires_at_ms)
            for c in found[:MOST_CONTACTS]
        )

    async def kept(self, partition: int, device_id: str) -> list[KeptContact]:
        """The same with all that is known of them."""
        raw = await self._batch.execute("HGETALL", keys_of(partition).contacts(device_id))
        return [_kept.decode(value) for value in as_map(raw).values()]

    async def put(
        self, partition: int, device_id: str, contact: KeptContact, now_ms: int, *, alone: bool
    ) -> None:
        """Keep a contact until it expires. `alone`: it replaces all others."""
        key = keys_of(partition).contacts(device_id)
        known = await self.kept(partition, device_id)
        gone = [c.uri for c in known if c.uri != contact.uri and (alone or c.expires_at_ms <= now_ms)]
        if gone:
            await self._batch.execute("HDEL", key, *gone)
        longest = max([contact.expires_at_ms, *(c.expires_at_ms for c in known)])
        written = self._batch.execute("HSET", key, contact.uri, _encode(contact))
        expiry = self._batch.execute("PEXPIREAT", key, longest)
        await written
        await expiry

    async def remove(self, partition: int, device_id: str, uri: str) -> None:
        """Forget a contact; `*` forgets all (RFC 3261 section 10.2.2)."""
        key = keys_of(partition).contacts(device_id)
        await (self._batch.execute("DEL", key) if uri == "*" else self._batch.execute("HDEL", key, uri))
