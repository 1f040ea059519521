"""What the routes of this process share; made by `main`, found in the app's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from fastapi import Request
from landline.kernel.clock import Clock

from call_control.adapters.accounts import Accounts
from call_control.adapters.call_store import CallStore
from call_control.adapters.facts_cache import FactsCache
from call_control.adapters.registrations import Registrations
from call_control.app.gather_arrival import GatherArrival
from call_control.app.gather_facts import GatherFacts
from call_control.app.live_feed import LiveFeed


@dataclass(frozen=True, slots=True)
class Services:
    """Open for as long as the app runs."""

    facts: FactsCache
    store: CallStore
    gather: GatherFacts
    arrivals: GatherArrival
    registrations: Registrations
    accounts: Accounts
    feed: LiveFeed
    clock: Clock


def services_of(request: Request) -> Services:
    """The services of the app that answers this request."""
    return cast(Services, request.app.state.services)
