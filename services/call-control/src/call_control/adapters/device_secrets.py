"""The digest credentials of a device: read when an edge asks, opened, never kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from call_control.adapters import read_model_keys as keys
from call_control.adapters.model_rows import Rows

Unseal = Callable[[str, str], str]


class Credentials(NamedTuple):
    """HA1 by algorithm (RFC 7616, RFC 8760), lower-case hex."""

    ha1: str
    ha1_sha256: str


class DeviceSecrets:
    """Reads the read model's row and opens what is sealed in it."""

    def __init__(self, rows: Rows, unseal: Unseal) -> None:
        self._rows = rows
        self._unseal = unseal

    async def credentials(self, partition: int, client_id: str, device_id: str) -> Credentials | None:
        """None for a device without a password. Raises ValueError when it can't be opened."""
        raw = await self._rows.field(keys.client(partition, client_id), f"device:{device_id}")
        row = msgspec.json.decode(raw)["d"] if raw is not None else None
        if row is None or not row.get("ha1") or not row.get("ha1_sha256"):
            return None
        place = f"device:{device_id}"
        return Credentials(self._unseal(row["ha1"], place), self._unseal(row["ha1_sha256"], place))
