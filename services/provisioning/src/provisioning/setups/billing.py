"""Billing's part of a setup, by its REST interface: a rating profile and the opening balance.

Every request carries a key made of the setup's id, so it may be sent as often as it takes: billing answers
a repeated one with what it did before. The keys of postings are kept for ever; those of profiles for a day,
after which the profile itself (one plan per client and moment) tells that it is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from landline.chassis.problems import FieldError
from landline.chassis.resources import Row
from landline.kernel.clock import iso
from landline.kernel.money import decimal_string

from provisioning.adapters.peers import Peers

BASE = "/api/billing/v1"


class NotYet(Exception):
    """Billing has not heard of the client yet: its event is on the way."""


class Refused(Exception):
    """Billing will not do it, however often it is asked."""


@dataclass(frozen=True)
class BillingPart:
    """What billing did."""

    rating_profile_id: str | None
    operation_id: str | None


class SetupBilling:
    """Asks billing on behalf of setups."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def plan_errors(self, plan_id: UUID, brand_id: UUID, currency: str) -> list[FieldError]:
        """What is wrong with a plan for a client of this brand and currency. Raises Unavailable."""
        answer = await self._ask("GET", f"/rating-plans/{plan_id}")
        plan = answer.json()
        if answer.status_code != 200 or plan["brand_id"] != str(brand_id):
            return [FieldError("rating_plan_id", "not_found", "no such rating plan")]
        if plan["currency"] != currency:
            message = f"the plan is not in {currency}"
            return [FieldError("rating_plan_id", "currency_differs", message)]
        return []

    async def do(self, setup: Row) -> BillingPart:
        """The whole part, or what of it is missing. Raises Unavailable, NotYet or Refused."""
        profile = None if setup["rating_plan_id"] is None else await self._profile(setup)
        operation = None if setup["opening_balance_micros"] is None else await self._open(setup)
        return BillingPart(profile, operation)

    async def _profile(self, setup: Row) -> str:
        body = {
            "client_id": str(setup["client_id"]),
            "rating_plan_id": str(setup["rating_plan_id"]),
            "activation_time": _moment(setup),
        }
        answer = await self._ask("POST", "/rating-profiles", f"{setup['id']}-profile", body)
        if answer.status_code == 201:
            return str(answer.json()["id"])
        if answer.status_code == 409 and _code(answer) == "activation_time_taken":
            return await self._profile_there(setup)
        raise _reason(answer, "client_id")

    async def _profile_there(self, setup: Row) -> str:
        query = {"client_id": str(setup["client_id"]), "activation_time": _moment(setup)}
        answer = await self._peers.ask("billing", "GET", f"{BASE}/rating-profiles", params=query)
        for profile in answer.json().get("items", []):
            if profile["rating_plan_id"] == str(setup["rating_plan_id"]):
                return str(profile["id"])
        raise Refused("the client has another rating plan from the same moment on")

    async def _open(self, setup: Row) -> str:
        amount = decimal_string(setup["opening_balance_micros"])
        body = {"operation": "increment", "amount": amount, "reason": "opening balance"}
        path = f"/clients/{setup['client_id']}/balance/operations"
        answer = await self._ask("POST", path, f"{setup['id']}-opening", body)
        if answer.status_code == 201:
            return str(answer.json()["operation_id"])
        raise _reason(answer, None)

    async def _ask(self, method: str, path: str, key: str = "", body: Any = None) -> httpx.Response:
        headers = {"Idempotency-Key": f"client-setup-{key}", "X-Reason": "client setup"} if key else {}
        return await self._peers.ask("billing", method, f"{BASE}{path}", headers=headers, json=body)


def _moment(setup: Row) -> str:
    return iso(int(setup["activation_time"].timestamp() * 1000))


def _code(answer: httpx.Response) -> str:
    return str(answer.json().get("code", ""))


def _reason(answer: httpx.Response, client_field: str | None) -> Exception:
    """A refusal as what to do about it: wait, or give up with billing's own words."""
    body = answer.json()
    unknown = {e["field"] for e in body.get("errors", []) if e["code"] == "not_found"}
    if answer.status_code == 404 or (client_field is not None and unknown == {client_field}):
        return NotYet("billing does not know the client yet")
    if _code(answer) == "request_in_progress" or answer.status_code in (401, 429):
        return NotYet(f"billing answers {answer.status_code} {_code(answer)}")
    return Refused(f"{_code(answer)}: {body.get('detail', '')}"[:500])
