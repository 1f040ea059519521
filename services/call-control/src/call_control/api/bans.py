"""Banned addresses, for provisioning only: it shows them to operators and lifts them (model-system 1.21)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from landline.chassis.auth import only_system
from landline.kernel.clock import iso

from call_control.adapters.auth_failures import AuthFailures, Ban
from call_control.adapters.edge_commands import tell_all
from call_control.api.services import services_of

router = APIRouter(prefix="/internal", dependencies=[Depends(only_system)], include_in_schema=False)


@router.get("/banned-addresses")
async def bans(request: Request, domain: Annotated[str | None, Query(max_length=190)] = None) -> Response:
    """All bans, or those that have to do with accounts of a SIP domain; `others`: and with other domains."""
    found = await _failures(request).bans(services_of(request).clock.now_ms())
    shown = [_shown(ban, domain) for ban in found]
    return JSONResponse({"items": [each for each in shown if domain is None or each["failures"]]})


@router.delete("/banned-addresses/{address}")
async def lift(address: str, request: Request) -> Response:
    """End a ban, here and at every edge that can be told; 404 when there is none."""
    if not await _failures(request).lift(address):
        return Response(status_code=404)
    edges = (await services_of(request).facts.directory()).edges.values()
    await tell_all(edges, "landline.lift_ban", address)
    return Response(status_code=204)


def _failures(request: Request) -> AuthFailures:
    return AuthFailures(request.app.state.parts.batch)


def _shown(ban: Ban, domain: str | None) -> dict[str, Any]:
    accounts = [(*name.rpartition("@")[::2], count) for name, count in sorted(ban.failures.items())]
    mine = [each for each in accounts if domain is None or each[1].lower() == domain.lower()]
    return {
        "address": ban.address,
        "banned_until": iso(ban.until_ms),
        "failures": [{"user": user, "domain": of, "count": count} for user, of, count in mine],
        "others": len(mine) < len(accounts),
    }
