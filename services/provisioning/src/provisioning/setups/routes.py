"""`POST client-setups`: one idempotent call for a whole home."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from landline.chassis.auth import Principal, right
from landline.chassis.idempotency import Answer, once, request_key
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import Forbidden, responses
from landline.chassis.request_headers import header, takes
from landline.chassis.resources import Actor, Registry, actor_of, check_texts
from landline.chassis.resources.audit import record
from landline.chassis.resources.wire import to_wire
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.adapters.peers import Peers
from provisioning.setups.billing import SetupBilling
from provisioning.setups.complete import complete
from provisioning.setups.resource import CLIENT_SETUPS, ClientSetupDone, ClientSetupFields
from provisioning.setups.write import Setup

_KEY = header(
    "Idempotency-Key", "same key and body within 24 h: the same client; what billing lacks is completed"
)


_DRY: dict[str, Any] = {"model": ClientSetupDone, "description": "dry_run: what would be made"}


def setups_router(registry: Registry) -> APIRouter:
    """The one route that writes. Needs `app.state.db`."""
    router = APIRouter(tags=["client-setups"])

    @router.post(
        "/client-setups",
        name="set up client",
        status_code=201,
        response_model=ClientSetupDone,
        responses={200: _DRY, **responses(401, 403, 404, 409, 413, 422, 503)},
        openapi_extra=takes(_KEY),
    )
    async def set_up(
        request: Request,
        caller: Annotated[Principal, Depends(right(CLIENT_SETUPS.name, "c"))],
        body: ClientSetupFields,
        dry_run: Annotated[bool, Query(description="say what would be made, and make nothing")] = False,
    ) -> Response:
        """A client with devices, numbers, authorized sources, rating plan and opening balance.

        All or nothing here; billing's part follows at once, and is retried until it is done.
        """
        said = await request.json()
        check_texts(said)
        _may(caller, body)
        db: Database = request.app.state.db
        actor = actor_of(request, caller)
        key = None if dry_run else await request_key(request, caller)
        async with db.transaction(Scope.of(caller)) as tx:
            savepoint = await tx.begin_nested() if dry_run else None
            setup = Setup(tx, registry, actor, body, said, SetupBilling(Peers(actor.settings)))
            answer = await once(tx, key, lambda: _make(setup, dry_run=dry_run))
            if savepoint is not None:
                await savepoint.rollback()
        if not dry_run:
            row = await complete(db, actor.settings, UUID(answer.body["id"]))
            answer.body["billing"] = to_wire(CLIENT_SETUPS, row, caller)
        return answer.response()

    return router


def _may(caller: Principal, asked: ClientSetupFields) -> None:
    """Billing is asked as a service, so the caller's own rights there are checked here."""
    if caller.level == "client":
        raise Forbidden("for operators only", code="no_right")
    if asked.rating_plan_id is not None:
        caller.require("rating-profiles", "c")
    if asked.opening_balance is not None:
        caller.require("balance", "u")


async def _make(setup: Setup, *, dry_run: bool) -> Answer:
    row = await setup.write()
    await _note(setup.tx, setup.actor, row, setup.shown["client"])
    body = {"id": None if dry_run else str(row["id"]), "dry_run": dry_run, **setup.shown, "billing": None}
    if dry_run:
        body["devices"] = [{k: v for k, v in d.items() if k != "password"} for d in setup.shown["devices"]]
        return Answer(200, body)
    place = f"/api/provisioning/v1/client-setups/{row['id']}"
    return Answer(201, body, {"Location": place})


async def _note(tx: AsyncConnection, actor: Actor, row: dict[str, Any], client: dict[str, Any]) -> None:
    """The audit entry of the setup itself; what it made has entries of its own."""
    names = ("rating_plan_id", "activation_time", "opening_balance")
    shown = to_wire(CLIENT_SETUPS, row)
    await record(
        tx,
        actor,
        resource=CLIENT_SETUPS.name,
        entity_id=str(row["id"]),
        action="create",
        changes={name: {"before": None, "after": shown[name]} for name in names if shown[name] is not None},
        brand_id=row["brand_id"],
        client_id=UUID(client["id"]),
    )
