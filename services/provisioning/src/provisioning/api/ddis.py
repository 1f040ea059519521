"""DDIs: numbers of a brand, given to clients. A number moves only by unlink (domain section 2)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from landline.chassis.auth import Principal
from landline.chassis.idempotency import WRITE_HEADERS, Answer
from landline.chassis.problems import Conflict, responses
from landline.chassis.resources import (
    Actor,
    ApiModel,
    Change,
    Reference,
    Registry,
    Resource,
    Rights,
    Row,
    allowed,
    owned_by_brand,
    post_once,
    update,
    wire,
)
from landline.chassis.resources.field_types import Country, Description, E164Number, Language, Line
from landline.chassis.resources.writing import etag
from landline.contracts import streams
from pydantic import Field
from sqlalchemy import Column, Table, Text, Uuid, select
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.api.schema import METADATA
from provisioning.domain.ddi_rules import ddi_refusals, number_refusals, target_refusals

TABLE = Table(
    "ddis",
    METADATA,
    *owned_by_brand(),
    Column("client_id", Uuid),
    Column("number", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("ddi_provider_id", Uuid),
    Column("description", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("device_id", Uuid),
    Column("fax_id", Uuid),
    Column("call_filter_id", Uuid),
    Column("record", Text, nullable=False),
    Column("display_name", Text),
    Column("language", Text),
)


class DdiFields(ApiModel):
    """What can be written of a DDI. Without client_id it lies in the brand's pool."""

    number: E164Number = Field(description="E.164 with +, unique on the platform; fixed at creation")
    country: Country | None = Field(None, description="default: the client's, else the brand's")
    client_id: UUID | None = Field(
        None, description="who has it; null: the brand's pool; it leaves a client only by unlink"
    )
    ddi_provider_id: UUID | None = Field(None, description="who brings its calls in")
    description: Annotated[Description, Field(max_length=100)] = Field(
        "", description="free text for people; the client may edit it"
    )
    kind: Literal["inout", "out"] = Field("inout", description="out: presentation only, never called")
    state: Literal["porting_in", "active", "ported_out", "quarantine"] = Field(
        "active", description="only an active number is called or shown; the others are being moved or rest"
    )
    target: Literal["none", "device", "fax", "voicemail"] = Field("none", description="where its calls go")
    device_id: UUID | None = Field(None, description="the device, or the one whose voicemail box it is")
    fax_id: UUID | None = Field(None, description="the fax box of target fax; the notifier keeps it")
    call_filter_id: UUID | None = Field(None, description="what its calls pass first")
    record: Literal["none", "inbound", "outbound", "all"] = Field(
        "none",
        description="which of its calls are recorded; needs the feature recordings; the client may edit it",
    )
    display_name: Annotated[Line, Field(max_length=50)] | None = Field(
        None, description="shown as the caller's name on calls to it; null: no name"
    )
    language: Language | None = Field(None, description="of announcements to its callers; null: the client's")
    unusual_number: bool = Field(False, description="take a number that phonenumbers knows no range for")


UNLINKED = {
    "client_id": None,
    "target": "none",
    "device_id": None,
    "fax_id": None,
    "call_filter_id": None,
    "record": "none",
    "display_name": None,
    "language": None,
}


async def _fit_number(change: Change) -> None:
    if change.action == "d":
        return
    new, given = change.new, change.given
    if new["country"] is None:
        owner = await change.find("clients", new["client_id"]) if new["client_id"] else None
        owner = owner or await change.find("brands", new["brand_id"])
        new["country"] = owner["country"] if owner else None
    if change.differs("number") or change.differs("country"):
        unusual = isinstance(given, DdiFields) and given.unusual_number
        for refusal in number_refusals(new["number"], new["country"], unusual=unusual):
            change.refuse(*refusal)
    for refusal in ddi_refusals(new, change.old):
        change.refuse(*refusal)


async def _fit_target(change: Change) -> None:
    if change.action != "d":
        client_id = change.new["client_id"]
        client = await change.find("clients", client_id) if client_id else None
        for refusal in target_refusals(change.new, client["features"] if client else None):
            change.refuse(*refusal)


async def move_only_by_unlink(change: Change) -> None:
    """Another client would inherit targets, recordings and names of the one before."""
    if change.action == "u" and change.old and change.old["client_id"] and change.differs("client_id"):
        raise Conflict("unlink_first", "a DDI leaves its client only by POST ddis/{id}/unlink")


DDIS = Resource(
    name="ddis",
    entity="ddi",
    table=TABLE,
    fields=DdiFields,
    tenancy="brand",
    client_column="client_id",
    rights=Rights(platform="crud", brand="crud", client="ru"),
    client_edits=frozenset(
        {
            "description",
            "target",
            "device_id",
            "fax_id",
            "call_filter_id",
            "record",
            "display_name",
            "language",
        }
    ),
    create_only=frozenset({"number"}),
    write_only=frozenset({"unusual_number"}),
    hidden_from_client=frozenset({"ddi_provider_id"}),
    finders={"number": "ddis_containing"},
    filters=(
        "number",
        "country",
        "ddi_provider_id",
        "kind",
        "state",
        "target",
        "device_id",
        "call_filter_id",
        "record",
    ),
    sorts=("number",),
    references={
        "brand_id": Reference("brands", "brand"),
        "client_id": Reference("clients", "client"),
        "ddi_provider_id": Reference("ddi_providers", "DDI provider"),
        "device_id": Reference("devices", "device of this client", same_client=True),
        "call_filter_id": Reference("call_filters", "call filter of this client", same_client=True),
    },
    unique={"ddis_number_key": "number"},
    rules=(move_only_by_unlink, _fit_number, _fit_target),
    stream=streams.CONFIG,
    about="Numbers of a brand: in its pool, or given to a client.",
)


async def refuse_while_presented(change: Change) -> None:
    """Who shows this number as its own must show another one first."""
    shown = []
    for name in ("clients", "devices"):
        table = change.resource.table_named(name)
        query = select(table.c.id).where(table.c.outgoing_ddi_id == change.new["id"]).limit(5)
        if ids := [str(i) for i in (await change.tx.execute(query)).scalars()]:
            shown.append({"resource": name, "field": "outgoing_ddi_id", "count": len(ids), "ids": ids})
    if shown:
        raise Conflict("still_needed", "still shown as outgoing number", extra={"needed_by": shown})


async def unlink_ddi(tx: AsyncConnection, registry: Registry, actor: Actor, ddi_id: UUID) -> Row:
    """Back to the pool; what the client had set is dropped."""
    patch: dict[str, Any] = dict(UNLINKED)
    row, _ = await update(
        tx,
        registry,
        DDIS,
        actor,
        ddi_id,
        patch,
        without=(move_only_by_unlink,),
        also=(refuse_while_presented,),
    )
    return row


def unlink_router(registry: Registry) -> APIRouter:
    """`POST ddis/{id}/unlink`."""
    router = APIRouter(tags=["ddis"])

    @router.post(
        "/ddis/{id}/unlink",
        name="unlink ddi",
        response_model=wire.read_schema(DDIS),
        responses=responses(401, 403, 404, 409, 422),
        openapi_extra=WRITE_HEADERS,
    )
    async def unlink(
        id: UUID, request: Request, caller: Annotated[Principal, allowed(DDIS, "u")]
    ) -> Response:
        """Put a number back into its brand's pool; what its client had set is dropped."""

        async def effect(tx: AsyncConnection, actor: Actor) -> Answer:
            row = await unlink_ddi(tx, registry, actor, id)
            return Answer(200, wire.to_wire(DDIS, row, caller), {"ETag": etag(row)})

        return await post_once(request, caller, effect)

    return router
