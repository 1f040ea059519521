"""Where registered devices are reached now: one Redis hash per device, contact URI -> KeptContact as JSON,
gone with the last of its contacts. Edges report every REGISTER."""

from __future__ import annotations

import msgspec
from landline.chassis.redis import AutoBatch
from msgspec.structs import replace

from call_control.adapters import scripts
from call_control.adapters.call_reads import as_map
from call_control.adapters.keys import keys_of
from call_control.adapters.model_rows import OUTAGE, Rows
from call_control.domain.facts import Contact, KeptContact
from call_control.domain.replies import Status

MOST_CONTACTS = 10
GRACE_MS = 3_600_000
"""While Redis is away no device can renew its registration: a copied one is believed for an hour more."""

_encode = msgspec.json.Encoder().encode
_kept = msgspec.json.Decoder(KeptContact)


class Registrations:
    """Contacts by device."""

    def __init__(self, batch: AutoBatch, copy: Rows | None = None) -> None:
        """`copy`: where they are read while Redis is away."""
        self._batch = batch
        self._copy = copy

    async def contacts(self, partition: int, device_id: str) -> tuple[Contact, ...]:
        """The contacts of a device, the one that expires last first; expired ones may be among them."""
        try:
            known = await self.kept(partition, device_id)
        except OUTAGE:
            if self._copy is None:
                raise
            copied = parsed(await self._copy.hash(keys_of(partition).contacts(device_id)))
            known = [replace(each, expires_at_ms=each.expires_at_ms + GRACE_MS) for each in copied]
        found = sorted(known, key=lambda c: c.expires_at_ms, reverse=True)
        return tuple(
            Contact(uri=c.uri, received=c.received, path=c.path, edge=c.edge, expires_at_ms=c.expires_at_ms)
            for c in found[:MOST_CONTACTS]
        )

    async def kept(self, partition: int, device_id: str) -> list[KeptContact]:
        """The same with all that is known of them."""
        raw = await self._batch.execute("HGETALL", keys_of(partition).contacts(device_id))
        return parsed(as_map(raw))

    async def put(
        self, partition: int, device_id: str, contact: KeptContact, now_ms: int, *, most: int | None
    ) -> bool:
        """Keep a contact until it expires. False: `most` others have all places. None: it replaces them."""
        names = [keys_of(partition).contacts(device_id)]
        values = [contact.uri, _encode(contact), contact.expires_at_ms, now_ms, most or 0]
        raw = await scripts.KEEP_CONTACT.run(self._batch, names, values)
        return bool(raw[0].decode() == Status.KEPT)

    async def remove(self, partition: int, device_id: str, uri: str) -> None:
        """Forget a contact; `*` forgets all (RFC 3261 section 10.2.2)."""
        key = keys_of(partition).contacts(device_id)
        await (self._batch.execute("DEL", key) if uri == "*" else self._batch.execute("HDEL", key, uri))


def parsed(raw: dict[bytes, bytes]) -> list[KeptContact]:
    """The contacts of a hash."""
    return [_kept.decode(value) for value in raw.values()]
