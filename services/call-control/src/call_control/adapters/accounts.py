"""Accounts at DDI providers: each is registered by one edge at a time, or a provider with one place for a
contact would call whoever registered last. Who holds it keeps it by asking again; silence frees it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from landline.chassis.redis import AutoBatch
from msgspec import Meta

from call_control.adapters import scripts
from call_control.adapters.keys import account
from call_control.domain.replies import Status

HOLD_MS: Final = 60_000
"""Four times as long as an edge waits between two questions."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an edge says of an account that it holds. `since`, `expires_at`: epoch seconds; `sip_code`: of the
    last reply, 408 when there was none."""

    id: Annotated[str, Meta(min_length=1, max_length=64, description="Of the account.")]
    state: Annotated[
        Literal["registering", "registered", "failed"], Meta(description="As the provider answered last.")
    ]
    since: Annotated[float, Meta(ge=0, le=1e11, description="Epoch seconds: in this state, with this code.")]
    sip_code: Annotated[
        Annotated[int, Meta(ge=100, le=699)] | None,
        Meta(description="Of the last reply, 408 when there was none; null: not known yet."),
    ] = None
    expires_at: Annotated[
        Annotated[float, Meta(ge=0, le=1e11)] | None,
        Meta(description="Epoch seconds: until when the provider keeps our Contact."),
    ] = None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds an account, and what it told; None: nothing yet."""

    edge: str
    told: Told | None


_encode = msgspec.json.Encoder().encode
_told = msgspec.json.Decoder(Told)


class Accounts:
    """Holding, and reading who holds. `hold_ms`: after which silence somebody else may."""

    def __init__(self, batch: AutoBatch, hold_ms: int = HOLD_MS) -> None:
        self._batch = batch
        self._hold_ms = hold_ms

    async def hold(self, registration_id: str, edge: str, instance_id: str, told: Told | None) -> bool:
        """False: another edge, or another instance of this one, has it."""
        text = b"" if told is None else _encode(told)
        values = [f"{edge} {instance_id}", text, self._hold_ms]
        raw = await scripts.HOLD_ACCOUNT.run(self._batch, [account(registration_id)], values)
        return bool(raw[0].decode() == Status.HELD)

    async def held(self, registration_id: str) -> Held | None:
        """Who registers it; None: nobody."""
        found = await self._batch.execute("HMGET", account(registration_id), "holder", "told")
        holder, told = found
        if holder is None:
            return None
        edge = holder.decode().partition(" ")[0]
        return Held(edge=edge, told=None if told is None else _told.decode(told))
