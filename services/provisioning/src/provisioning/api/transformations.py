"""Numeric transformation sets and their rules (model-system 1.8)."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated
from uuid import UUID

from landline.chassis.resources import (
    ApiModel,
    Change,
    Reference,
    Resource,
    Rights,
    Row,
    create,
    delete,
    owned_by_brand,
    wire,
)
from landline.chassis.resources.field_types import Country, Description, Line, Name
from landline.contracts import streams
from landline.kernel.clock import utc
from pydantic import Field
from sqlalchemy import ARRAY, Column, SmallInteger, Table, Text, Uuid, select

from provisioning.api.schema import METADATA
from provisioning.domain.transformations import (
    MAX_MATCH_CHARS,
    MAX_RULES_PER_DIRECTION,
    BadPlan,
    DialPlan,
    Direction,
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
    Column("international_code", Text),
    Column("trunk_prefix", Text),
    Column("area_code", Text),
    Column("national_lengths", ARRAY(SmallInteger)),
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


PLAN_FIELDS = ("international_code", "trunk_prefix", "area_code", "national_lengths")


class TransformationSetFields(ApiModel):
    """A set, and how people dial there. With generate_rules its rules are made from that."""

    name: Name = Field(description="unique in the brand")
    description: Description = Field("", description="free text for people")
    country: Country | None = Field(
        None, description="ISO 3166; where people dial this way; null: no country"
    )
    international_code: Annotated[str, Field(max_length=10, pattern=r"^[0-9]{1,10}$")] | None = Field(
        None, description="null: the country's, such as 00"
    )
    trunk_prefix: Annotated[str, Field(max_length=5, pattern=r"^[0-9]{0,5}$")] | None = Field(
        None, description="null: the country's; empty: none"
    )
    area_code: Annotated[str, Field(max_length=5, pattern=r"^[0-9]{0,5}$")] | None = Field(
        None, description="of the place; with it people may dial local numbers without their area"
    )
    national_lengths: (
        Annotated[list[Annotated[int, Field(ge=1, le=17)]], Field(min_length=1, max_length=17)] | None
    ) = Field(None, description="digits of a national number without trunk prefix; null: the country's")
    generate_rules: bool = Field(
        False, description="make the rules of this way of dialling; the rules that there are go"
    )


class TransformationRuleFields(ApiModel):
    """First match by priority wins; no match leaves the number as it is. Regular expressions are RE2's."""

    transformation_set_id: UUID = Field(description="the set it belongs to; fixed at creation")
    direction: Direction = Field(description="which number it rewrites, and whether to or from E.164")
    priority: Annotated[int, Field(ge=0, le=10_000)] = Field(
        1, description="lower first; the first match wins"
    )
    match: Annotated[Line, Field(min_length=1, max_length=MAX_MATCH_CHARS)] = Field(
        description="RE2 expression that the number must match"
    )
    replace: Annotated[str, Field(max_length=128)] = Field("", description=r"with \1 to \9 for groups")
    description: Description = Field("", description="free text for people")


async def _plan_is_sound(change: Change) -> None:
    """Facts that would generate wrong rules are refused, whether rules are made now or later."""
    given, new = change.given, change.new
    if change.action == "d" or not isinstance(given, TransformationSetFields):
        return
    if new["country"] is None:
        names = [n for n in PLAN_FIELDS if new[n] is not None] or (["country"] * given.generate_rules)
        for name in names:
            change.refuse("country" if name == "country" else name, "needs_country", "whose way of dialling?")
        return
    try:
        plan_of(new)
    except BadPlan as error:
        field = "country" if error.field == "country_code" else error.field
        change.refuse(field, "invalid_plan", error.message)
    if change.action == "u" and given.generate_rules:
        new["updated_at"] = utc(change.actor.now_ms)  # a change also when no field of the set differs


async def _generate(change: Change) -> None:
    """The rules of a way of dialling, each a row of its own that people can then change."""
    given = change.given
    if change.action == "d" or not isinstance(given, TransformationSetFields) or not given.generate_rules:
        return
    await _drop_rules(change)
    schema = wire.create_schema(TRANSFORMATION_RULES)
    for rule in generate(plan_of(change.new)):
        body = schema.model_validate(
            {**asdict(rule), "transformation_set_id": change.new["id"], "brand_id": change.new["brand_id"]}
        )
        await create(change.tx, change.registry, TRANSFORMATION_RULES, change.actor, body)


async def _drop_rules(change: Change) -> None:
    if change.action == "u":
        own = select(RULE_TABLE.c.id).where(RULE_TABLE.c.transformation_set_id == change.new["id"])
        for rule_id in (await change.tx.execute(own.order_by(RULE_TABLE.c.id))).scalars().all():
            await delete(change.tx, change.registry, TRANSFORMATION_RULES, change.actor, rule_id)


def plan_of(row: Row) -> DialPlan:
    """A set's way of dialling: its own facts before its country's. Raises BadPlan."""
    own = {name: row[name] for name in PLAN_FIELDS if row[name] is not None}
    if "national_lengths" in own:
        own["national_lengths"] = tuple(own["national_lengths"])
    return replace(dial_plan(row["country"]), **own)


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
    rules=(_plan_is_sound,),
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
    key=("transformation_set_id", "direction", "priority"),
    rules=(_room_for_a_rule, _sound_expression),
    stream=streams.CONFIG,
    about="The rules of a set.",
)
