"""`POST transformation-sets/{id}/try`: what a set does to a number, and which rule does it."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from landline.chassis.auth import Caller
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import responses
from landline.chassis.resources import ApiModel, Row, fetch
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

    @router.post("/transformation-sets/{id}/try", name="try", responses=responses(401, 403, 404, 422))
    async def try_number(id: UUID, body: Try, request: Request, caller: Caller) -> Tried:
        """Which rule of the set would rewrite a number, and into what; nothing is changed."""
        TRANSFORMATION_SETS.require(caller, "r")
        db: Database = request.app.state.db
        async with db.transaction(Scope.of(caller)) as tx:
            await fetch(tx, TRANSFORMATION_SETS, caller, id)
            rules = select(RULE_TABLE).where(
                RULE_TABLE.c.transformation_set_id == id, RULE_TABLE.c.direction == body.direction
            )
            ordered = rules.order_by(RULE_TABLE.c.priority, RULE_TABLE.c.id)
            rows = [dict(r) for r in (await tx.execute(ordered)).mappings()]
        return tried(rows, body.number)

    return router


def tried(rows: list[Row], number: str) -> Tried:
    """Apply rows of one direction to a number, with the very function that call-control uses."""
    rules = [Rule(row["direction"], row["priority"], row["match"], row["replace"]) for row in rows]
    applied = RuleList(rules).apply(number)
    hit = next((row["id"] for row, rule in zip(rows, rules, strict=True) if rule is applied.rule), None)
    return Tried(result=applied.result, rule_id=hit, outcome="rewritten" if hit else "unchanged")
