"""A forward that a device set by a service code (domain 5): call-control reads the code, this writes."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from landline.chassis.auth import Caller, only_system
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import NotFound, responses
from landline.chassis.resources import (
    Actor,
    ApiModel,
    Registry,
    actor_of,
    create,
    delete,
    update,
    wire,
)
from landline.chassis.resources.field_types import E164Number
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.api.call_forwards import CALL_FORWARDS, ForwardKind
from provisioning.api.call_forwards import TABLE as FORWARDS
from provisioning.api.devices import TABLE as DEVICES

CODE_TIMEOUT_S = 20
"""How long a device rings whose no-answer forward was set by its code (model-system 1.11)."""


class ForwardCode(ApiModel):
    """What a device asked for. No target: the forward of this kind is switched off."""

    device_id: UUID
    kind: ForwardKind
    target: Literal["number", "voicemail"] | None = None
    number: E164Number | None = None


class ForwardCodeDone(BaseModel):
    """`set`, `cleared`, or `unchanged`: it was so before."""

    done: Literal["set", "cleared", "unchanged"]


def forward_codes_router(registry: Registry) -> APIRouter:
    """`POST /internal/forward-codes`, for services only. Asked again it changes nothing more."""
    router = APIRouter(include_in_schema=False)

    @router.post(
        "/internal/forward-codes",
        dependencies=[Depends(only_system)],
        responses=responses(401, 403, 404, 422),
    )
    async def set_forward(body: ForwardCode, request: Request, caller: Caller) -> ForwardCodeDone:
        db: Database = request.app.state.db
        async with db.transaction(Scope.system()) as tx:
            return await _set(tx, registry, actor_of(request, caller), body)

    return router


async def _set(tx: AsyncConnection, registry: Registry, actor: Actor, body: ForwardCode) -> ForwardCodeDone:
    device = (
        (await tx.execute(select(DEVICES).where(DEVICES.c.id == body.device_id).with_for_update()))
        .mappings()
        .first()
    )
    if device is None:
        raise NotFound("no such device")
    known = await tx.scalar(
        select(FORWARDS.c.id).where(
            FORWARDS.c.device_id == body.device_id, FORWARDS.c.kind == body.kind, FORWARDS.c.enabled
        )
    )
    if body.target is None:
        if known is None:
            return ForwardCodeDone(done="unchanged")
        await delete(tx, registry, CALL_FORWARDS, actor, known)
        return ForwardCodeDone(done="cleared")
    wanted: dict[str, Any] = {"target": body.target, "number": body.number, "voicemail_device_id": None}
    if known is None:
        if body.kind == "no_answer":
            wanted["no_answer_timeout_s"] = CODE_TIMEOUT_S
        owner = {"brand_id": device["brand_id"], "client_id": device["client_id"]}
        given = {**owner, "device_id": body.device_id, "kind": body.kind, **wanted}
        await create(tx, registry, CALL_FORWARDS, actor, wire.create_schema(CALL_FORWARDS)(**given))
        return ForwardCodeDone(done="set")
    before = await tx.scalar(select(FORWARDS.c.version).where(FORWARDS.c.id == known))
    row, _ = await update(tx, registry, CALL_FORWARDS, actor, known, wanted)
    return ForwardCodeDone(done="unchanged" if row["version"] == before else "set")
