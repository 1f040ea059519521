"""The price of a call that went out while rates could not be read: found when it ends, for its start."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from landline.contracts.call_control.events import CallFacts
from landline.rating.errors import DeckUnavailable, NoRate, NoRatingProfile
from msgspec import structs

from call_control.domain.facts import ClientFacts
from call_control.domain.live_call import UNBILLED, LiveCall
from call_control.domain.rates import PlanUnavailable, RateBook


class RatesSource(Protocol):
    """`adapters.facts_cache.FactsCache`, as far as needed here."""

    async def client(self, brand_id: str, client_id: str) -> ClientFacts | None: ...
    async def rates(self) -> RateBook: ...


class LatePrices:
    """Share one per process."""

    def __init__(self, source: RatesSource) -> None:
        self._source = source

    async def __call__(self, call: LiveCall) -> LiveCall:
        """The call with its tariff, if it has none, should have one, and there is one now.

        Raises RatesAway while rates still can't be read: the call must not be settled for nothing.
        """
        if not owes_a_price(call.facts):
            return call
        facts = call.facts
        client = await self._source.client(facts.brand_id, facts.client_id)
        profiles = () if client is None else client.profiles
        try:
            rates = await self._source.rates()
            priced, profile_id = rates.price(profiles, facts.callee, facts.admitted_at_ms)
        except (NoRatingProfile, NoRate):
            return call  # it could not have been refused then, and can't be charged now
        except (DeckUnavailable, PlanUnavailable) as error:
            raise RatesAway(str(error)) from None
        return replace(call, facts=structs.replace(facts, tariff=priced.pinned(profile_id)))


class RatesAway(ConnectionError):
    """Rates can't be read yet: report the call's end again."""


def owes_a_price(facts: CallFacts) -> bool:
    """Let out by the outage policy without a tariff, and not free."""
    if facts.direction == "inbound":
        return False
    normal = facts.class_ == "normal" and facts.billing_method != UNBILLED
    return facts.outage and facts.tariff is None and normal
