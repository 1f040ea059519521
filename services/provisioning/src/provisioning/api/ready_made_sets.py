"""Ready-made transformation sets: every country's way of dialling, from phonenumbers metadata.

A set is made when it is first asked for (or all at once by `provisioning ready-made-sets`), belongs to the
platform, and can be used by every brand. Asking again answers the same set.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from landline.chassis.auth import Principal
from landline.chassis.idempotency import WRITE_HEADERS, Answer, once, request_key
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import responses
from landline.chassis.resources import Actor, ApiModel, Registry, Row, actor_of, allowed, create, wire
from landline.chassis.resources.field_types import Country
from pydantic import BaseModel
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.api.lists import country_name
from provisioning.api.transformations import SET_TABLE, TRANSFORMATION_SETS
from provisioning.domain.transformations import countries, dial_plan

_ONE_MAKER = text("select pg_advisory_xact_lock(hashtextextended('ready-made transformation sets', 0))")
ABOUT = "ready-made: how people dial in this country"


class ReadyMade(BaseModel):
    """A country's way of dialling, and the set made of it, if somebody has asked for it yet."""

    country: str
    name: str
    country_code: str
    international_code: str
    trunk_prefix: str
    national_lengths: list[int]
    transformation_set_id: UUID | None


class ReadyMadeList(BaseModel):
    """All countries, whole."""

    items: list[ReadyMade]
    next_cursor: None = None


class Wanted(ApiModel):
    """Of which country."""

    country: Country


def set_name(country: str) -> str:
    """`ES Spain`: sorts by code, found by name."""
    return f"{country} {country_name(country)}"[:80].rstrip()


async def ready_made_set(
    tx: AsyncConnection, registry: Registry, actor: Actor, country: str
) -> tuple[Row, bool]:
    """(the platform's set of a country, whether it was made now). The transaction is in system scope."""
    await tx.execute(_ONE_MAKER)
    known = (await made_sets(tx, [country])).get(country)
    if known is not None:
        return known, False
    who = Principal("system", admin_id=actor.principal.admin_id, username=actor.principal.username)
    body = wire.create_schema(TRANSFORMATION_SETS).model_validate(
        {"name": set_name(country), "country": country, "description": ABOUT, "generate_rules": True}
    )
    row, _ = await create(tx, registry, TRANSFORMATION_SETS, replace(actor, principal=who), body)
    return row, True


async def made_sets(tx: AsyncConnection, wanted: Iterable[str]) -> dict[str, Row]:
    """The ready-made sets that there are, by country."""
    names = {set_name(country): country for country in wanted}
    own = (SET_TABLE.c.brand_id.is_(None), SET_TABLE.c.name.in_(names))
    found = await tx.execute(select(SET_TABLE).where(*own))
    return {names[row["name"]]: dict(row) for row in found.mappings()}


def ready_made_router(registry: Registry) -> APIRouter:
    """`transformation-sets/ready-made`."""
    router = APIRouter(tags=["transformation-sets"])

    @router.get("/transformation-sets/ready-made", name="list ready-made sets", responses=responses(401, 403))
    async def list_ready_made(
        request: Request, caller: Annotated[Principal, allowed(TRANSFORMATION_SETS, "r")]
    ) -> ReadyMadeList:
        """How people dial in every country, and which of the sets there are already."""
        db: Database = request.app.state.db
        async with db.transaction(Scope.of(caller)) as tx:
            made = await made_sets(tx, countries())
        return ReadyMadeList(items=[_shown(country, made.get(country)) for country in countries()])

    @router.post(
        "/transformation-sets/ready-made",
        name="get ready-made set",
        response_model=wire.read_schema(TRANSFORMATION_SETS),
        responses={201: {"description": "made now"}, **responses(401, 403, 409, 422)},
        openapi_extra=WRITE_HEADERS,
    )
    async def get_ready_made(
        body: Wanted, request: Request, caller: Annotated[Principal, allowed(TRANSFORMATION_SETS, "c")]
    ) -> Response:
        """The platform's set of a country, made if nobody has asked for it yet: repeat it at will."""
        db, actor = request.app.state.db, actor_of(request, caller)
        key = await request_key(request, caller)
        async with db.transaction(Scope.system()) as tx:

            async def effect() -> Answer:
                row, new = await ready_made_set(tx, registry, actor, body.country)
                place = f"/api/{registry.producer}/v1/transformation-sets/{row['id']}"
                shown = wire.to_wire(TRANSFORMATION_SETS, row, caller)
                return Answer(201 if new else 200, shown, {"Location": place})

            return (await once(tx, key, effect)).response()

    return router


def _shown(country: str, made: dict[str, Any] | None) -> ReadyMade:
    plan = dial_plan(country)
    return ReadyMade(
        country=country,
        name=set_name(country),
        country_code=plan.country_code,
        international_code=plan.international_code,
        trunk_prefix=plan.trunk_prefix,
        national_lengths=list(plan.national_lengths),
        transformation_set_id=made["id"] if made else None,
    )
