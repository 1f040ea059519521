"""`GET devices/{id}/registrations`: where a device is registered now. call-control knows; it is asked."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request
from landline.chassis.auth import Caller
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import responses
from landline.chassis.resources import fetch
from pydantic import BaseModel, Field

from provisioning.adapters.peers import Peers
from provisioning.api.devices import DEVICES

PATH = "/api/call-control/v1/internal/registrations"


class DeviceRegistration(BaseModel):
    """One contact. `received`: the address its REGISTER came from; `edge`: the edge that holds the flow."""

    contact: str = Field(description="SIP URI that the device registered")
    received: str | None = Field(description="address it was seen from; null: not told")
    edge: str | None = Field(description="the edge it registered at; null: not told")
    source_ip: str | None = Field(description="its IP address; null: not told")
    user_agent: str | None = Field(description="as the device names itself; null: it does not")
    registered_at: datetime = Field(description="when it last registered")
    expires_at: datetime = Field(description="when the registration ends unless renewed")


class DeviceRegistrations(BaseModel):
    """`status` direct: the device is known by its address and need not register."""

    status: Literal["registered", "not_registered", "direct"] = Field(
        description="direct: it does not register"
    )
    items: list[DeviceRegistration] = Field(description="live registrations")
    next_cursor: None = Field(None, description="the cursor of the next page; null: this is the last")


def device_registrations_router() -> APIRouter:
    """One route; the device must be in the caller's scope."""
    router = APIRouter(tags=["devices"])

    @router.get(
        "/devices/{id}/registrations",
        name="list device registrations",
        responses=responses(401, 403, 404, 422, 503),
    )
    async def registrations(id: UUID, request: Request, caller: Caller) -> DeviceRegistrations:
        """Live registrations, the one that expires last first."""
        caller.require("registrations", "r")
        DEVICES.require(caller, "r")
        db: Database = request.app.state.db
        async with db.transaction(Scope.of(caller)) as tx:
            device = await fetch(tx, DEVICES, caller, id)
        asked = {"brand_id": str(device["brand_id"]), "device_id": str(id)}
        peers = Peers(request.app.state.settings)
        answer = await peers.call("call-control", "GET", PATH, params=asked, missing_is_fine=True)
        found = [] if answer.status_code == 404 else answer.json()["items"]
        status = "direct" if device["direct_connectivity"] else "registered" if found else "not_registered"
        return DeviceRegistrations.model_validate({"status": status, "items": found})

    return router
