"""`POST calls/{id}/hangup`: an operator ends a call; who, which and why stand in the audit log."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from landline.chassis.auth import Caller
from landline.chassis.idempotency import Answer, once, request_key
from landline.chassis.postgres import Scope
from landline.chassis.problems import Conflict, NotFound, responses
from landline.chassis.resources import Actor, Registry, actor_of, resource_router
from landline.chassis.resources.audit import AUDIT_RESOURCE, record
from landline.chassis.surroundings import is_surroundings
from landline.kernel.ids import NotACallId
from sqlalchemy.ext.asyncio import AsyncConnection

from call_control.api.scope import operator, sees
from call_control.api.services import Services, services_of
from call_control.app.hang_up import HangUpRefused, hang_up
from call_control.domain.live_call import LiveCall

router = APIRouter(tags=["live calls"])
AUDIT = resource_router(Registry("call-control", (AUDIT_RESOURCE,)), AUDIT_RESOURCE)
"""Call-control's own part of the audit log: hang-ups."""
log = structlog.get_logger(__name__)
_SAID = {
    "X-Reason": "Why, in words: kept in the audit log.",
    "Idempotency-Key": "A text of one's own: repeated with it, the call is hung up and noted once.",
}
_HEADERS = [
    {"name": name, "in": "header", "description": said, "schema": {"type": "string"}}
    for name, said in _SAID.items()
]


@router.post(
    "/calls/{call_id}/hangup",
    summary="Hang up a call",
    status_code=202,
    responses=responses(401, 403, 404, 409, 422),
    openapi_extra={"parameters": _HEADERS},
)
async def hangup(call_id: str, request: Request, caller: Caller) -> Response:
    """Have the edge end a call: at its control address at once where it has one, else by its heartbeat.

    Operators only. The call is billed to this second; emergency calls are never hung up. X-Reason is kept.
    """
    operator(caller)
    caller.require("calls", "d")
    services, actor = services_of(request), actor_of(request, caller)
    key = await request_key(request, caller)
    call = await _seen(services, actor, call_id)

    async def effect(tx: AsyncConnection) -> Answer:
        await _hang_up(services, call)
        await _noted(tx, actor, call)
        return Answer(202, {"call_id": call.call_id})

    try:
        async with request.app.state.db.transaction(Scope.of(caller)) as tx:
            answer = await once(tx, key, lambda: effect(tx))
    except Exception as error:
        if key is not None or not is_surroundings(error):
            raise
        # A call that must end ends, also while the audit log can't be written: its entry goes to our log.
        await _hang_up(services, call)
        log.error("hung up without an audit entry", call_id=call_id, by=caller.identity, reason=actor.reason)
        answer = Answer(202, {"call_id": call.call_id})
    return answer.response()


async def _seen(services: Services, actor: Actor, call_id: str) -> LiveCall:
    try:
        call = await services.store.read_call(call_id)
    except NotACallId:
        call = None
    if call is None or not sees(actor.principal, call):
        raise NotFound("no such call")
    return call


async def _hang_up(services: Services, call: LiveCall) -> None:
    try:
        await hang_up(services.store, call, services.clock.now_ms())
    except HangUpRefused as error:
        raise Conflict(error.code, str(error)) from None


async def _noted(tx: AsyncConnection, actor: Actor, call: LiveCall) -> None:
    facts, changes = call.facts, {"state": {"before": call.state.value, "after": "hung_up"}}
    owners: dict[str, Any] = {"brand_id": facts.brand_id, "client_id": facts.client_id}
    await record(
        tx, actor, resource="calls", entity_id=call.call_id, action="hangup", changes=changes, **owners
    )
