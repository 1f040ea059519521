"""`POST transformation-sets/{id}/try`: what a set does to a number, and which rule does it."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from landline.chassis.auth import Principal
from landline.chassis.idempotency import READ_HEADERS, Answer, once_reading
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import responses
from landline.chassis.resources import ApiModel, Row, allowed, fetch
from pydantic import BaseModel, Field
from sqlalchemy import select

from provisioning.api.transformations import RULE_TABLE, TRANSFORMATION_SETS
from provisioning.domain.transformations import Direction, Rule, RuleList


class Try(ApiModel):
    """A number to rewrite."""

    direction: Direction
    number: Annotated[str, Field(max_length=64)]


class Tried(BaseModel):
    """What came out, and which rule did it."""

    result: str
    rule_id: UUID | None
    outcome: Literal["rewritten", "unchanged"]


def try_router() -> APIRouter:
    """`POST transformation-sets/{id}/try`."""
    router = APIRouter(tags=["transformation-sets"])

    @router.post(
        "/transformation-sets/{id}/try",
        name="try",
        summary="Try a number",
        response_model=Tried,
        responses=responses(401, 403, 404, 409, 422),
        openapi_extra=READ_HEADERS,
    )
    async def try_number(
        id: UUID, body: Try, request: Request, caller: Annotated[Principal, allowed(TRANSFORMATION_SETS, "r")]
    ) -> Response:
        """Which rule of the set would rewrite a number, and into what; nothing is changed."""

        async def effect() -> Answer:
            rows = await _rules(request.app.state.db, caller, id, body.direction)
            return Answer(200, tried(rows, body.number).model_dump(mode="json"))

        return await once_reading(request, caller, effect)

    return router


async def _rules(db: Database, caller: Principal, set_id: UUID, direction: Direction) -> list[Row]:
    """A set's rules of one direction, in order. NotFound outside the caller's scope."""
    async with db.transaction(Scope.of(caller)) as tx:
        await fetch(tx, TRANSFORMATION_SETS, caller, set_id)
        rules = select(RULE_TABLE).where(
            RULE_TABLE.c.transformation_set_id == set_id, RULE_TABLE.c.direction == direction
        )
        ordered = rules.order_by(RULE_TABLE.c.priority, RULE_TABLE.c.id)
        return [dict(r) for r in (await tx.execute(ordered)).mappings()]


def tried(rows: list[Row], number: str) -> Tried:
    """Apply rows of one direction to a number, with the very function that call-control uses."""
    rules = [Rule(row["direction"], row["priority"], row["match"], row["replace"]) for row in rows]
    applied = RuleList(rules).apply(number)
    hit = next((row["id"] for row, rule in zip(rows, rules, strict=True) if rule is applied.rule), None)
    return Tried(result=applied.result, rule_id=hit, outcome="rewritten" if hit else "unchanged")
