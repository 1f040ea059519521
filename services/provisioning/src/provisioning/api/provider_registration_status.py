"""`GET ddi-provider-registrations/{id}/status`: how an account is registered; call-control is asked."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request
from landline.chassis.auth import Caller
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import responses
from landline.chassis.resources import fetch
from pydantic import BaseModel

from provisioning.adapters.peers import Peers
from provisioning.api.ddi_provider_registrations import DDI_PROVIDER_REGISTRATIONS

PATH = "/api/call-control/v1/internal/provider-registrations"


class DdiProviderRegistrationStatus(BaseModel):
    """`state` disabled: not to be registered; waiting: no edge has taken it up yet; registering: asked, not
    answered. `sip_code`: of the provider's last reply, 408 when there was none. `since`: in this state with
    this code; `edge`: the edge that registers it."""

    state: Literal["disabled", "waiting", "registering", "registered", "failed"]
    edge: str | None = None
    sip_code: int | None = None
    since: datetime | None = None
    expires_at: datetime | None = None


def provider_registration_status_router() -> APIRouter:
    """One route; the registration must be in the caller's scope."""
    router = APIRouter(tags=[DDI_PROVIDER_REGISTRATIONS.name])

    @router.get(
        "/ddi-provider-registrations/{id}/status",
        name="get ddi provider registration status",
        responses=responses(401, 403, 404, 422, 503),
    )
    async def status(id: UUID, request: Request, caller: Caller) -> DdiProviderRegistrationStatus:
        """As the edge that registers it told last, at most half a minute ago."""
        DDI_PROVIDER_REGISTRATIONS.require(caller, "r")
        db: Database = request.app.state.db
        async with db.transaction(Scope.of(caller)) as tx:
            row = await fetch(tx, DDI_PROVIDER_REGISTRATIONS, caller, id)
        if not row["enabled"]:
            return DdiProviderRegistrationStatus(state="disabled")
        peers = Peers(request.app.state.settings)
        answer = await peers.call("call-control", "GET", PATH, params={"registration_id": str(id)})
        return DdiProviderRegistrationStatus.model_validate(answer.json())

    return router
