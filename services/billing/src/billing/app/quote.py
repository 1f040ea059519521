"""What would a call cost? The same rules, decks and engine as for the call itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from landline.kernel.clock import to_ms
from landline.rating.errors import NoRatingProfile
from landline.rating.lookup import Plan, Profile, RateDeck, active_profile, resolve
from landline.rating.price import Line, breakdown, covered_seconds, price_micros
from landline.rating.tariff import Tariff

from billing.app.connection import Connection
from billing.domain.plan_rules import plan_of

FindDecks = Callable[[Iterable[str]], Awaitable[Mapping[str, RateDeck]]]

_PROFILES = "select id::text, rating_plan_id::text, activation_time from rating_profiles where client_id = $1"
_PLAN = "select * from rating_plans where id = $1"
_ENTRIES = "select * from rating_plan_entries where rating_plan_id = $1 order by id"


class NoSuchPlan(LookupError):
    """The scope has no such rating plan."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A price and where it comes from."""

    tariff: Tariff
    plan_name: str
    price_micros: int
    billed_s: int
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Question:
    """A call that might be made: whose or by which plan, to whom, when (epoch seconds), how long."""

    client_id: UUID | None
    plan_id: UUID | None
    number: str
    at_s: float
    duration_s: int


async def chosen_plan(conn: Connection, question: Question) -> tuple[Plan, str, str]:
    """The plan, its name, and the profile that chose it ('' when the plan was asked for).

    Raises NoSuchPlan, NoRatingProfile.
    """
    plan_id, profile_id = str(question.plan_id or ""), ""
    if question.client_id is not None:
        rows = await conn.fetch(_PROFILES, question.client_id)
        profiles = [Profile(r["id"], r["rating_plan_id"], to_ms(r["activation_time"]) // 1000) for r in rows]
        profile = active_profile(profiles, question.at_s)
        plan_id, profile_id = profile.plan_id, profile.id
    row = await conn.fetchrow(_PLAN, plan_id)
    if row is None:
        raise NoSuchPlan(plan_id)
    entries = [dict(entry) for entry in await conn.fetch(_ENTRIES, plan_id)]
    return plan_of(dict(row), entries), row["name"], profile_id


async def quote(conn: Connection, question: Question, find_decks: FindDecks) -> Quote:
    """The price of the call. Raises NoSuchPlan, NoRatingProfile, NoRate."""
    plan, name, profile_id = await chosen_plan(conn, question)
    decks = await find_decks(entry.deck_id for entry in plan.entries)
    tariff = resolve(plan, decks, question.number, question.at_s, profile_id)
    price = price_micros(tariff, question.at_s, question.duration_s)
    billed = covered_seconds(tariff, question.at_s, question.duration_s)
    return Quote(tariff, name, price, billed, breakdown(tariff, question.at_s, question.duration_s))


__all__ = ["NoRatingProfile", "NoSuchPlan", "Question", "Quote", "chosen_plan", "quote"]
