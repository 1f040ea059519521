"""Numeric transformation sets and their rules; `try` says what a set does to a number (model-system 1.8)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from landline.chassis.auth import Caller
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import responses
from landline.chassis.resources import (
    ApiModel,
    Change,
    Reference,
    Resource,
    Rights,
    Row,
    create,
    fetch,
    owned_by_brand,
    wire,
)
from landline.chassis.resources.field_types import Country, Description, Line, Name
from landline.contracts import streams
from pydantic import BaseModel, Field
from sqlalchemy import Column, SmallInteger, Table, Text, Uuid, select

from provisioning.api.schema import METADATA
from provisioning.domain.transformations import (
    MAX_MATCH_CHARS,
    MAX_RULES_PER_DIRECTION,
    Direction,
    Rule,
    RuleList,
    check_rule,
    dial_plan,
    generate,
)

SET_TABLE = Table(
    "transformation_sets",
    METADATA,
    *owned_by_brand(shared=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("country", Text),
)
RULE_TABLE = Table(
    "transformation_rules",
    METADATA,
    *owned_by_brand(shared=True),
    Column("transformation_set_id", Uuid, nullable=False),
    Column("direction", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("match", Text, nullable=False),
    Column("replace", Text, nullable=False),
    Column("description", Text, nullable=False),
)


class TransformationSetFields(ApiModel):
    """A set. With generate_rules it is made with the rules of its country's way of dialling."""

    name: Name
    description: Description = ""
    country: Country | None = None
    generate_rules: bool = Field(False, description="on creation: make the rules of `country`")


class TransformationRuleFields(ApiModel):
    """First match by priority wins; no match leaves the number as it is. Regular expressions are RE2's."""

    transformation_set_id: UUID
    direction: Direction
    priority: Annotated[int, Field(ge=0, le=10_000)] = 1
    match: Annotated[Line, Field(min_length=1, max_length=MAX_MATCH_CHARS)]
    replace: Annotated[str, Field(max_length=128)] = Field("", description=r"with \1 to \9 for groups")
    description: Description = ""


async def _generation_needs_country(change: Change) -> None:
    given = change.given
    if isinstance(given, TransformationSetFields) and given.generate_rules:
        if change.action != "c":
            change.refuse("generate_rules", "only_on_creation", "rules are generated when a set is made")
        elif given.country is None:
            change.refuse("country", "required", "whose way of dialling?")


async def _generate(change: Change) -> None:
    """The rules of a country's way of dialling, each a row of its own that people can then change."""
    given = change.given
    if change.action != "c" or not isinstance(given, TransformationSetFields) or not given.generate_rules:
        return
    schema = wire.create_schema(TRANSFORMATION_RULES)
    for rule in generate(dial_plan(str(given.country))):
        body = schema.model_validate(
            {**asdict(rule), "transformation_set_id": change.new["id"], "brand_id": change.new["brand_id"]}
        )
        await create(change.tx, change.registry, TRANSFORMATION_RULES, change.actor, body)


async def _sound_expression(change: Change) -> None:
    if change.action != "d":
        for bad in check_rule(change.new["match"], change.new["replace"]):
            change.refuse(bad.field, bad.code, str(bad))


async def _room_for_a_rule(change: Change) -> None:
    if change.action != "c":
        return
    parent = await change.find("transformation_sets", change.new["transformation_set_id"])
    if parent is None or parent["brand_id"] != change.new["brand_id"]:
        change.refuse("transformation_set_id", "not_found", "no such transformation set of yours")
        return
    same = select(RULE_TABLE.c.id).where(
        RULE_TABLE.c.transformation_set_id == change.new["transformation_set_id"],
        RULE_TABLE.c.direction == change.new["direction"],
    )
    if len((await change.tx.execute(same)).all()) >= MAX_RULES_PER_DIRECTION:
        change.refuse("direction", "too_many_rules", f"at most {MAX_RULES_PER_DIRECTION} in one direction")


TRANSFORMATION_SETS = Resource(
    name="transformation-sets",
    entity="transformation_set",
    table=SET_TABLE,
    fields=TransformationSetFields,
    tenancy="brand",
    shared=True,
    rights=Rights(platform="crud", brand="crud", client="r"),
    write_only=frozenset({"generate_rules"}),
    filters=("name", "country"),
    sorts=("name",),
    references={"brand_id": Reference("brands", "brand")},
    unique={"transformation_sets_brand_id_name_key": "name"},
    rules=(_generation_needs_country,),
    after=(_generate,),
    stream=streams.CONFIG,
    about="How numbers are rewritten, in and out. Sets without a brand are the platform's, for all to use.",
)
TRANSFORMATION_RULES = Resource(
    name="transformation-rules",
    entity="transformation_rule",
    table=RULE_TABLE,
    fields=TransformationRuleFields,
    tenancy="brand",
    shared=True,
    parent="transformation_set_id",
    rights=Rights(platform="crud", brand="crud", client="r"),
    create_only=frozenset({"transformation_set_id"}),
    filters=("transformation_set_id", "direction", "priority"),
    sorts=("priority",),
    references={
        "transformation_set_id": Reference(
            "transformation_sets", "transformation set", shared=True, cascade=True
        )
    },
    rules=(_room_for_a_rule, _sound_expression),
    stream=streams.CONFIG,
    about="The rules of a set.",
)


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
