"""Rating plans, their entries, and the profiles that give them to clients and carriers."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from landline.chassis import outbox
from landline.chassis.resources import ApiModel, Change, Reference, Resource, Rights, Row
from landline.chassis.resources.field_types import Currency, Name, Timezone
from landline.contracts import streams
from landline.contracts.billing.events import PlanPublished
from landline.contracts.envelope import Event, seal
from landline.kernel.clock import utc
from pydantic import AfterValidator, AwareDatetime, Field
from pydantic_core import PydanticCustomError
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.adapters.tables import PLAN_ENTRIES, RATING_PLANS, RATING_PROFILES
from billing.api.rate_decks import OPERATORS
from billing.app.rate_events import plan_event, profile_event
from billing.domain.plan_rules import problem_of, second_of

DAY_S = 86_400


class PlanFields(ApiModel):
    """A rating plan: what its decks' prices are rounded to, and the zone of its timed entries."""

    name: Name = Field(description="unique in the brand")
    currency: Currency = Field(description="ISO 4217; of all its prices")
    timezone: Timezone = Field(
        "UTC", description="IANA name; weekdays and times of its entries are of this zone"
    )
    decimals: int = Field(4, ge=0, le=6, description="to which a call's price is rounded, once")
    rounding: Literal["half_up", "up", "down"] = Field("half_up", description="how it is rounded")


def _time(text: str) -> str:
    full = text if text.count(":") == 2 else f"{text}:00"
    if second_of(full, 0) > DAY_S:
        raise PydanticCustomError("time_of_day", "a time of day such as 08:00:00, at most 24:00:00")
    return full


TimeOfDay = Annotated[
    str, Field(pattern=r"^([01][0-9]|2[0-4]):[0-5][0-9](:[0-5][0-9])?$"), AfterValidator(_time)
]


class EntryFields(ApiModel):
    """A deck in a plan. Of equal prefixes the higher weight wins. Times are of the plan's zone."""

    rate_deck_id: UUID = Field(description="the deck whose prices count")
    weight: int = Field(10, ge=0, le=100_000, description="of equal prefixes the higher weight wins")
    weekdays: list[Annotated[int, Field(ge=0, le=6)]] | None = Field(
        None, min_length=1, max_length=7, description="0 = Monday; null = every day"
    )
    time_in: TimeOfDay | None = Field(None, description="local time from which it counts; null: 00:00")
    time_out: TimeOfDay | None = Field(None, description="local time up to which it counts; null: 24:00")


class EntryPlan(ApiModel):
    """What the address says."""

    rating_plan_id: UUID = Field(description="the plan it belongs to")


class ProfileFields(ApiModel):
    """From a moment on, a client's or a carrier's calls are priced by this plan."""

    client_id: UUID | None = Field(None, description="whose calls are priced; this or carrier_id")
    carrier_id: UUID | None = Field(None, description="whose calls are costed; this or client_id")
    rating_plan_id: UUID = Field(description="the plan that prices them")
    activation_time: AwareDatetime = Field(description="from when; the latest one in the past counts")


async def _publish(change: Change, event: Event, row: Row) -> None:
    client_id = row.get("client_id")
    sealed = seal(
        event,
        producer="billing",
        now_ms=change.actor.now_ms,
        brand_id=str(row["brand_id"]),
        client_id=str(client_id) if client_id else None,
    )
    await outbox.add(change.tx, streams.RATES, sealed)


async def entries_of(tx: AsyncConnection, plan_id: UUID) -> list[Row]:
    """A plan's entries, oldest first."""
    statement = select(PLAN_ENTRIES).where(PLAN_ENTRIES.c.rating_plan_id == plan_id)
    return [dict(row) for row in (await tx.execute(statement.order_by(PLAN_ENTRIES.c.id))).mappings()]


async def _check_plan(change: Change) -> None:
    if change.action == "u":
        if change.differs("currency") and await entries_of(change.tx, change.new["id"]):
            change.refuse("currency", "in_use", "the plan's decks are in its currency")
        problem = problem_of(change.new, await entries_of(change.tx, change.new["id"]))
        if problem is not None:
            change.refuse(problem.field, "invalid", problem.message)


async def _plan_written(change: Change) -> None:
    plan = change.new
    if change.action == "d":
        gone = PlanPublished(plan_id=str(plan["id"]), version=plan["version"], deleted=True)
        await _publish(change, gone, plan)
    else:
        await _publish(change, plan_event(plan, await entries_of(change.tx, plan["id"])), plan)


async def _check_entry(change: Change) -> None:
    """The deck must be in the plan's currency, and the plan must still be clear about who wins."""
    new = change.new
    statement = select(RATING_PLANS).where(RATING_PLANS.c.id == new["rating_plan_id"]).with_for_update()
    plan = dict((await change.tx.execute(statement)).mappings().one())
    deck = await change.find("rate_decks", new["rate_deck_id"])
    if deck is not None and deck["currency"] != plan["currency"]:
        change.refuse("rate_deck_id", "currency_differs", f"the plan is in {plan['currency']}")
    if change.action != "d":
        others = [e for e in await entries_of(change.tx, plan["id"]) if e["id"] != new["id"]]
        problem = problem_of(plan, [*others, new])
        if problem is not None:
            change.refuse(_FIELDS.get(problem.field, problem.field), "invalid", problem.message)


_FIELDS = {"window": "time_out"}


async def _entry_written(change: Change) -> None:
    """A plan travels whole: its entries' changes are its own next version."""
    table, plan_id = RATING_PLANS, change.new["rating_plan_id"]
    values = {"version": table.c.version + 1, "updated_at": utc(change.actor.now_ms)}
    statement = update(table).where(table.c.id == plan_id).values(values).returning(table)
    plan = dict((await change.tx.execute(statement)).mappings().one())
    await _publish(change, plan_event(plan, await entries_of(change.tx, plan_id)), plan)


async def _check_profile(change: Change) -> None:
    new = change.new
    given = [name for name in ("client_id", "carrier_id") if new[name] is not None]
    if len(given) != 1:
        change.refuse("client_id", "one_of", "exactly one of client_id and carrier_id")
        return
    await _check_currency(change, given[0])


async def _check_currency(change: Change, party: str) -> None:
    table = {"client_id": "clients", "carrier_id": "carriers"}[party]
    owner = await change.find(table, change.new[party], party)
    plan = await change.find("rating_plans", change.new["rating_plan_id"])
    if owner is None or plan is None:
        return  # said already by the reference
    currency = owner["currency"]
    if currency is None:
        brand = await change.find("brands", owner["brand_id"], "brand_id")
        currency = brand["currency"] if brand else None
    if currency is not None and currency != plan["currency"]:
        change.refuse("rating_plan_id", "currency_differs", f"the plan is not in {currency}")


async def _profile_written(change: Change) -> None:
    await _publish(change, profile_event(change.new, deleted=change.action == "d"), change.new)


PLAN = Resource(
    name="rating-plans",
    entity="rating_plan",
    table=RATING_PLANS,
    fields=PlanFields,
    tenancy="brand",
    rights=OPERATORS,
    filters=("name", "currency"),
    sorts=("name",),
    default_sort="name",
    unique={"rating_plans_brand_id_name_key": "name"},
    rules=(_check_plan,),
    after=(_plan_written,),
)

ENTRY = Resource(
    name="rating-plan-entries",
    entity="rating_plan_entry",
    table=PLAN_ENTRIES,
    fields=EntryFields,
    read_only=EntryPlan,
    tenancy="brand",
    rights=OPERATORS,
    filters=("rate_deck_id", "weight"),
    sorts=("weight",),
    references={
        "rate_deck_id": Reference("rate_decks", "rate deck"),
        "rating_plan_id": Reference("rating_plans", "rating plan", holds_back=False),
    },
    rules=(_check_entry,),
    after=(_entry_written,),
)

PROFILE = Resource(
    name="rating-profiles",
    entity="rating_profile",
    table=RATING_PROFILES,
    fields=ProfileFields,
    tenancy="brand",
    client_column="client_id",
    rights=Rights("crud", "crud", "r"),
    create_only=frozenset({"client_id", "carrier_id"}),
    filters=("carrier_id", "rating_plan_id", "activation_time"),
    sorts=("activation_time",),
    default_sort="-activation_time",
    references={
        "rating_plan_id": Reference("rating_plans", "rating plan"),
        "client_id": Reference("clients", "client", key="client_id", holds_back=False),
        "carrier_id": Reference("carriers", "carrier", key="carrier_id", holds_back=False),
    },
    unique={"rating_profiles_client": "activation_time", "rating_profiles_carrier": "activation_time"},
    rules=(_check_profile,),
    after=(_profile_written,),
)
