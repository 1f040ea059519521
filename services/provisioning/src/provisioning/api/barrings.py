"""Barrings: numbers that a client does not want called, always or at certain times (domain 4.7)."""

from __future__ import annotations

from typing import Annotated

from landline.chassis.problems import Forbidden
from landline.chassis.resources import ApiModel, Change, Reference, Resource, Rights, owned_by_client
from landline.chassis.resources.field_types import Description, Name, unique_items
from landline.contracts import streams
from pydantic import AfterValidator, Field
from sqlalchemy import ARRAY, Boolean, Column, SmallInteger, Table, Text, func, select

from provisioning.api.schema import METADATA
from provisioning.domain.barring_rules import barring_refusals

MOST_OF_A_CLIENT = 100

TABLE = Table(
    "barrings",
    METADATA,
    *owned_by_client(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("prefixes", ARRAY(Text), nullable=False),
    Column("weekdays", ARRAY(SmallInteger), nullable=False),
    Column("from_time", Text),
    Column("to_time", Text),
    Column("locked", Boolean, nullable=False),
)

Prefix = Annotated[str, Field(max_length=16, pattern=r"^\+[0-9]{0,15}$")]
ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Weekday = Annotated[int, Field(ge=1, le=7)]


class BarringFields(ApiModel):
    """Numbers that begin with one of `prefixes` are not called; `+` alone is every number.

    Without times, always. With them, in the client's own time zone: from `from_time` up to `to_time`; when
    that is the earlier one, until then on the next day. Emergency numbers are never barred.
    """

    name: Name = Field(description="unique in the client")
    description: Description = Field("", description="free text for people")
    enabled: bool = Field(True, description="false: it bars nothing")
    prefixes: Annotated[list[Prefix], Field(min_length=1, max_length=200), AfterValidator(unique_items)] = (
        Field(description="beginnings of E.164 numbers that are not called; + alone is every number")
    )
    weekdays: Annotated[
        list[Weekday],
        Field(max_length=7, description="Monday = 1, days on which it begins; empty: every day"),
        AfterValidator(unique_items),
    ] = []
    from_time: ClockTime | None = Field(None, description="local time, 22:00; null with to_time: all day")
    to_time: ClockTime | None = Field(
        None, description="local time up to which it bars; earlier than from_time: on the next day"
    )
    locked: bool = Field(False, description="set by the operator: the client's people can't change it")


async def _fits(change: Change) -> None:
    if change.action == "d":
        return
    change.new["weekdays"] = sorted(change.new["weekdays"])
    for refusal in barring_refusals(change.new):
        change.refuse(*refusal)


async def _keep_locked(change: Change) -> None:
    """What the operator locked stays as the operator wants it."""
    locked = change.old is not None and change.old["locked"]
    if locked and change.principal.level == "client":
        raise Forbidden("your operator has locked this barring", code="locked")


async def _not_too_many(change: Change) -> None:
    """Each is looked at in every call of the client."""
    if change.action == "c":
        query = select(func.count()).select_from(TABLE).where(TABLE.c.client_id == change.new["client_id"])
        if (await change.tx.scalar(query) or 0) >= MOST_OF_A_CLIENT:
            change.refuse("client_id", "too_many", f"a client has at most {MOST_OF_A_CLIENT} barrings")


_EDITABLE = frozenset({"name", "description", "enabled", "prefixes", "weekdays", "from_time", "to_time"})

BARRINGS = Resource(
    name="barrings",
    entity="barring",
    table=TABLE,
    fields=BarringFields,
    tenancy="client",
    client_column="client_id",
    rights=Rights(platform="crud", brand="crud", client="crud"),
    client_edits=_EDITABLE,
    filters=("client_id", "name", "enabled", "locked"),
    sorts=("name",),
    references={"client_id": Reference("clients", "client", cascade=True)},
    unique={"barrings_client_id_name_key": "name"},
    rules=(_keep_locked, _fits, _not_too_many),
    stream=streams.CONFIG,
    about="Numbers a client does not want called, always or at certain times.",
)
