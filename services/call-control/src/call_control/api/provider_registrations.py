"""How an account at a DDI provider is registered now, for provisioning, which shows it to operators."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from landline.chassis.auth import only_system
from landline.chassis.problems import responses
from landline.kernel.clock import iso
from pydantic import BaseModel

from call_control.api.services import services_of

router = APIRouter(include_in_schema=False)
Id = Annotated[str, Query(min_length=1, max_length=64)]


class StatusOut(BaseModel):
    """`waiting`: no edge has taken it up (yet)."""

    state: Literal["waiting", "registering", "registered", "failed"]
    edge: str | None = None
    sip_code: int | None = None
    since: str | None = None
    expires_at: str | None = None


@router.get(
    "/internal/provider-registrations",
    dependencies=[Depends(only_system)],
    responses=responses(401, 403, 422),
)
async def provider_registration(request: Request, registration_id: Id) -> StatusOut:
    """As its edge told last."""
    held = await services_of(request).accounts.held(registration_id)
    if held is None:
        return StatusOut(state="waiting")
    told = held.told
    if told is None:
        return StatusOut(state="registering", edge=held.edge)
    return StatusOut(
        state=told.state,
        edge=held.edge,
        sip_code=told.sip_code,
        since=_moment(told.since),
        expires_at=None if told.expires_at is None else _moment(told.expires_at),
    )


def _moment(seconds: float) -> str:
    return iso(round(seconds * 1000))
