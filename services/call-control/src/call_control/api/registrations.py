"""Where a device is registered now, for provisioning, which shows it to people."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from landline.chassis.auth import only_system
from landline.chassis.problems import NotFound, responses
from landline.kernel.clock import iso
from pydantic import BaseModel

from call_control.api.services import services_of

router = APIRouter(include_in_schema=False)
Id = Annotated[str, Query(min_length=1, max_length=64)]


class RegistrationOut(BaseModel):
    """One contact of a device."""

    contact: str
    received: str | None
    edge: str | None
    source_ip: str | None
    user_agent: str | None
    registered_at: str
    expires_at: str


class RegistrationsOut(BaseModel):
    """All of them, the one that expires last first."""

    items: list[RegistrationOut]


@router.get(
    "/internal/registrations", dependencies=[Depends(only_system)], responses=responses(401, 403, 404, 422)
)
async def registrations(request: Request, brand_id: Id, device_id: Id) -> RegistrationsOut:
    """Those that have not expired. NotFound for a brand that call-control does not know (yet)."""
    services = services_of(request)
    row = (await services.facts.directory()).brands.get(brand_id)
    if row is None:
        raise NotFound("no such brand")
    now_ms = services.clock.now_ms()
    kept = await services.registrations.kept(int(row["partition"]), device_id)
    live = sorted((each for each in kept if each.expires_at_ms > now_ms), key=lambda c: -c.expires_at_ms)
    return RegistrationsOut(
        items=[
            RegistrationOut(
                contact=each.uri,
                received=each.received,
                edge=each.edge,
                source_ip=each.source_ip,
                user_agent=each.user_agent,
                registered_at=iso(each.registered_at_ms),
                expires_at=iso(each.expires_at_ms),
            )
            for each in live
        ]
    )
