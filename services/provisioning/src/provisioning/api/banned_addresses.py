"""Banned addresses: what call-control banned for guessing passwords, and lifting it (model-system 1.21).

call-control owns them, in Redis; they end by themselves within minutes. A brand sees those that tried its own
accounts, and lifts those that tried nobody else's.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from landline.chassis.auth import Caller, Principal
from landline.chassis.geoip import address as read_address
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import Conflict, FieldError, Forbidden, InvalidInput, NotFound, responses
from landline.chassis.resources import actor_of
from landline.chassis.resources.audit import record
from pydantic import BaseModel
from sqlalchemy import select

from provisioning.adapters.peers import Peers
from provisioning.api.brands import TABLE as BRANDS

NAME = "banned-addresses"
INTERNAL = "/api/call-control/v1/internal/banned-addresses"
router = APIRouter(tags=[NAME])


class FailedAccount(BaseModel):
    """As whom it failed, and how often."""

    user: str
    domain: str
    count: int


class BannedAddress(BaseModel):
    """`others`: it failed as accounts of other brands too."""

    address: str
    banned_until: datetime
    failures: list[FailedAccount]
    others: bool


class BannedAddresses(BaseModel):
    """All of them; there are never many, since they end within minutes."""

    items: list[BannedAddress]
    next_cursor: None = None


@router.get(f"/{NAME}", name=f"list {NAME}", responses=responses(401, 403, 422))
async def banned(
    request: Request,
    caller: Caller,
    address: Annotated[str | None, Query(max_length=64, description="only this one")] = None,
) -> BannedAddresses:
    """Addresses that are not listened to for a while, because they guessed passwords."""
    _operators(caller, "r")
    wanted = None if address is None else _canonical(address)
    found = [ban for ban in await _bans(request, caller) if wanted in (None, ban["address"])]
    return BannedAddresses.model_validate({"items": found})


@router.delete(
    f"/{NAME}/{{address}}",
    name="delete banned_address",
    status_code=204,
    response_class=Response,
    responses=responses(401, 403, 404, 409, 422),
)
async def lift(address: str, request: Request, caller: Caller) -> Response:
    """Listen to an address again at once, and forget its failures."""
    _operators(caller, "d")
    wanted, actor = _canonical(address), actor_of(request, caller)
    ban = next((b for b in await _bans(request, caller) if b["address"] == wanted), None)
    if ban is None:
        raise NotFound("no such banned address")
    if caller.brand_id is not None and ban["others"]:
        raise Conflict("not_only_yours", "it tried accounts of other brands too: ask the platform's operator")
    db: Database = request.app.state.db
    async with db.transaction(Scope.of(caller)) as tx:
        await record(
            tx,
            actor,
            resource=NAME,
            entity_id=wanted,
            action="delete",
            changes={"banned_until": {"before": ban["banned_until"], "after": None}},
            brand_id=UUID(caller.brand_id) if caller.brand_id else None,
        )
        peers = Peers(request.app.state.settings)
        await peers.call("call-control", "DELETE", f"{INTERNAL}/{quote(wanted)}", missing_is_fine=True)
    return Response(status_code=204)


def _operators(caller: Principal, action: Any) -> None:
    if caller.level == "client":
        raise Forbidden("operators only", code="no_right")
    caller.require(NAME, action)


def _canonical(text: str) -> str:
    try:
        return str(read_address(text))
    except ValueError:
        raise InvalidInput([FieldError("address", "address", "not an IPv4 or IPv6 address")]) from None


async def _bans(request: Request, caller: Principal) -> list[dict[str, Any]]:
    params = {}
    if caller.brand_id is not None:
        db: Database = request.app.state.db
        async with db.transaction(Scope.of(caller)) as tx:
            own = select(BRANDS.c.sip_domain).where(BRANDS.c.id == UUID(caller.brand_id))
            params["domain"] = str(await tx.scalar(own))
    answer = await Peers(request.app.state.settings).call("call-control", "GET", INTERNAL, params=params)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
