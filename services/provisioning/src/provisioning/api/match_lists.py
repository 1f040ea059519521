"""Match lists: numbers and expressions that call filters look a caller up in (model-system 1.10)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from landline.chassis.resources import ApiModel, Change, Reference, Resource, Rights, owned_by_brand
from landline.chassis.resources.field_types import Description, E164Number, Line
from landline.contracts import streams
from landline.numbering.expressions import BadExpression, check_match
from pydantic import Field
from sqlalchemy import Column, Table, Text, Uuid, func, select

from provisioning.api.schema import METADATA

MAX_LISTS = 100
MAX_ENTRIES = 1_000
MAX_REGEX_CHARS = 255

LIST_TABLE = Table(
    "match_lists",
    METADATA,
    *owned_by_brand(),
    Column("client_id", Uuid),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
)
ENTRY_TABLE = Table(
    "match_list_entries",
    METADATA,
    *owned_by_brand(),
    Column("client_id", Uuid),
    Column("match_list_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("number", Text),
    Column("regex", Text),
    Column("description", Text, nullable=False),
)


class MatchListFields(ApiModel):
    """What can be written of a list. Without client_id it is the brand's, readable by all of its clients."""

    name: Annotated[Line, Field(min_length=1, max_length=50)] = Field(
        description="unique among its owner's lists"
    )
    client_id: UUID | None = Field(None, description="null: the brand's, for all of its clients to use")
    description: Description = Field("", description="free text for people")


class MatchListEntryFields(ApiModel):
    """One number, or an expression that is looked for anywhere in the number (plus sign included)."""

    match_list_id: UUID = Field(description="the list it is on; fixed at creation")
    kind: Literal["number", "regex"] = Field("number", description="one number, or an expression")
    number: E164Number | None = Field(None, description="E.164, of kind number and only there")
    regex: Annotated[str, Field(min_length=1, max_length=MAX_REGEX_CHARS)] | None = Field(
        None, description=r"RE2 syntax, searched in the E.164 number: `^\+34(803|806|807)`"
    )
    description: Description = Field("", description="free text for people")


async def _room_for_a_list(change: Change) -> None:
    if change.action != "c":
        return
    table, new = LIST_TABLE, change.new
    same = select(func.count()).where(
        table.c.brand_id == new["brand_id"], table.c.client_id.is_not_distinct_from(new["client_id"])
    )
    if (await change.tx.scalar(same) or 0) >= MAX_LISTS:
        change.refuse("name", "too_many_lists", f"at most {MAX_LISTS} lists")


async def _belong_to_the_list(change: Change) -> None:
    """An entry is whose its list is; a client adds nothing to a list of its brand."""
    if change.action == "d":
        return
    parent = await change.find("match_lists", change.new["match_list_id"])
    asking = change.principal.client_id
    if parent is None or (asking and str(parent["client_id"]) != asking):
        change.refuse("match_list_id", "not_found", "no such match list of yours")
        return
    change.new["client_id"] = parent["client_id"]
    if change.action == "c":
        same = select(func.count()).where(ENTRY_TABLE.c.match_list_id == parent["id"])
        if (await change.tx.scalar(same) or 0) >= MAX_ENTRIES:
            change.refuse("match_list_id", "too_many_entries", f"at most {MAX_ENTRIES} in one list")


async def _fit_kind(change: Change) -> None:
    if change.action == "d":
        return
    new = change.new
    for field, kind in (("number", "number"), ("regex", "regex")):
        if (new[field] is not None) != (new["kind"] == kind):
            change.refuse(field, "kind_mismatch", f"goes with kind {kind}, and only with it")
    if new["regex"] is not None:
        try:
            check_match(new["regex"], MAX_REGEX_CHARS)
        except BadExpression as error:
            change.refuse("regex", error.code, error.message)


MATCH_LISTS = Resource(
    name="match-lists",
    entity="match_list",
    table=LIST_TABLE,
    fields=MatchListFields,
    tenancy="brand",
    client_column="client_id",
    unowned_readable=True,
    rights=Rights(client="crud"),
    client_edits=frozenset({"name", "description"}),
    create_only=frozenset({"client_id"}),
    filters=("name", "client_id"),
    sorts=("name",),
    references={
        "brand_id": Reference("brands", "brand"),
        "client_id": Reference("clients", "client", cascade=True),
    },
    unique={"match_lists_owner_name_key": "name"},
    rules=(_room_for_a_list,),
    stream=streams.CONFIG,
    about="Whom call filters know: a client's own lists, and those of its brand, which it only reads.",
)
MATCH_LIST_ENTRIES = Resource(
    name="match-list-entries",
    entity="match_list_entry",
    table=ENTRY_TABLE,
    fields=MatchListEntryFields,
    tenancy="brand",
    client_column="client_id",
    unowned_readable=True,
    parent="match_list_id",
    rights=Rights(client="crud"),
    client_edits=None,
    create_only=frozenset({"match_list_id"}),
    filters=("match_list_id", "kind", "number"),
    sorts=("number",),
    references={"match_list_id": Reference("match_lists", "match list", cascade=True)},
    unique={"match_list_entries_list_value_key": "number"},
    key=("match_list_id", "number", "regex"),
    rules=(_belong_to_the_list, _fit_kind),
    stream=streams.CONFIG,
    about="The numbers and expressions of a match list.",
)
