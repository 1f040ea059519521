"""A small telephone company on a running stack, made through the public REST APIs alone.

    platform = Platform(stack)
    brand = platform.brand("Alpha")
    home = brand.home(billing_method="prepaid", balance="1.00")
    call = platform.edge().admit(home, MOBILE)

Prices are round, so that a story can be checked in one's head: see `SHEET`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from landline.chassis.embedded.rest_client import Refused, RestClient

from tests.support.stack import ADMIN_PASSWORD, Stack
from tests.support.story_edge import Edge

PROVISIONING = "/api/provisioning/v1"
CALL_CONTROL = "/api/call-control/v1"
BILLING = "/api/billing/v1"
NOTIFIER = "/api/notifier/v1"

# What devices dial (Spanish dialling), and what a second of it costs.
MOBILE = "0034600123123"  # 0.01 a second
SATELLITE = "00870776123456"  # 1.00 a second
BY_THE_MINUTE = "00442079460000"  # 0.60 for each minute begun
SHEET = """destination,prefix,rate,connect fee,increment
Spain mobile,+346,0.60,0,1
Spain,+34,0.06,0,1
United Kingdom,+44,0.60,0,60
Inmarsat,+870,60.00,0,1
"""
UNHURRIED: dict[str, Any] = {
    "allowed_risk_classes": ["normal", "special_rate", "high_risk"],
    "max_calls_per_minute": 0,
    "probation_days": 0,
}
"""Stories call satellites, and as fast as they can; what a new brand has out of the box is told elsewhere."""
LOGIN_GOOD_S = 400.0  # access tokens live 10 minutes
WAIT_S = 60.0

Row = dict[str, Any]
T = TypeVar("T")


def until(condition: Callable[[], T | None], what: str, within_s: float = WAIT_S) -> T:
    """The first truthy answer of `condition`, asked again and again; AssertionError names what never came."""
    deadline = time.monotonic() + within_s
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}; at last {answer!r}"
        time.sleep(0.05)


def patiently(act: Callable[[], T], within_s: float = WAIT_S) -> T:
    """Repeat while another service has not heard of a new row yet (404, 422), or Redis is just back (503)."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return act()
        except Refused as refused:
            if refused.status not in (404, 422, 503) or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


@dataclass
class Home:
    """A client with one device and one number."""

    brand: Brand
    id: str
    device_id: str
    device: str
    ddi_id: str
    number: str

    @property
    def api(self) -> RestClient:
        """The platform admin's REST."""
        return self.brand.platform.api

    def usage(self) -> Row:
        """call-control's counters of this client."""
        return dict(self.api.get(f"{CALL_CONTROL}/clients/{self.id}/usage"))

    def balance(self) -> str:
        """What the ledger says."""
        return str(self.api.get(f"{BILLING}/clients/{self.id}/balance")["balance"])

    def live_calls(self) -> list[Row]:
        """`GET calls` of this client."""
        return list(self.api.items(f"{CALL_CONTROL}/calls", client_id=self.id))

    def records(self) -> list[Row]:
        """All its call records."""
        return list(self.api.items(f"{BILLING}/call-records", client_id=self.id))

    def postings(self, **query: Any) -> list[Row]:
        """Its ledger, oldest first."""
        query = {"client_id": self.id, "sort": "sequence", **query}
        return list(self.api.items(f"{BILLING}/postings", **query))

    def record(self, call_id: str) -> Row:
        """The call's record, as soon as billing has it."""

        def find() -> Row | None:
            try:
                return dict(self.api.get(f"{BILLING}/call-records/{call_id}"))
            except Refused as refused:
                if refused.status != 404:
                    raise
                return None

        return until(find, f"a record of {call_id}")

    def settled(self) -> Row:
        """Usage, once call-control's copy agrees with the ledger and nothing waits to be posted."""

        def agree() -> Row | None:
            usage = self.usage()
            return usage if usage["unposted"] == "0.00" and usage["settled"] == self.balance() else None

        return until(agree, "balance in Redis = ledger")

    def change(self, **fields: Any) -> Row:
        """PATCH the client."""
        return dict(self.api.patch(f"{PROVISIONING}/clients/{self.id}", fields))

    def top_up(self, amount: str, key: str = "first-money") -> Row:
        """Add money by the operator's hand."""
        path = f"{BILLING}/clients/{self.id}/balance/operations"
        body = {"operation": "increment", "amount": amount, "reason": key}
        named = {"X_Reason": "tests", "Idempotency_Key": f"{key}-{self.id}"}
        done: Row = patiently(lambda: self.api.post(path, body, **named))
        until(lambda: self.usage()["settled"] == done["balance"], "call-control hears of the money")
        return done


@dataclass
class Brand:
    """A brand with a way out, a deck, a plan and Spanish dialling."""

    platform: Platform
    id: str
    domain: str
    plan_id: str = ""
    deck_id: str = ""
    set_id: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def api(self) -> RestClient:
        """The platform admin's REST."""
        return self.platform.api

    def home(self, *, balance: str | None = None, country: str = "ES", **fields: Any) -> Home:
        """A new client, callable at once. `fields` are those of the `clients` resource."""
        n = next(self._numbers)
        own = {"brand_id": self.id}
        body = {
            "name": f"Home {n}",
            "country": country,
            "transformation_set_id": self.set_id,
            **own,
            **fields,
        }
        client = self.api.post(f"{PROVISIONING}/clients", body)
        device = self.api.post(f"{PROVISIONING}/devices", {"name": f"home{n}", "client_id": client["id"]})
        number = f"+34944{self.platform.next_number():06d}"
        ddi_body = {"number": number, "client_id": client["id"], "country": "ES", **own}
        ddi = self.api.post(f"{PROVISIONING}/ddis", ddi_body)
        self.api.patch(f"{PROVISIONING}/clients/{client['id']}", {"outgoing_ddi_id": ddi["id"]})
        home = Home(self, client["id"], device["id"], device["name"], ddi["id"], number)
        if client["billing_method"] != "none":
            self._price(home)
        if balance is not None:
            home.top_up(balance)
        return home

    def _price(self, home: Home) -> None:
        profile = {"client_id": home.id, "rating_plan_id": self.plan_id}
        profile["activation_time"] = "2025-01-01T00:00:00Z"
        made: Row = patiently(lambda: self.api.post(f"{BILLING}/rating-profiles", profile))
        self.ids["rating-profiles"] = made["id"]
        until(lambda: self._callable(home), f"call-control knows {home.device}")

    def _callable(self, home: Home) -> bool:
        """Whether call-control knows the home whole: asked by `simulate`, which changes nothing."""
        body = {**self.platform.edge().request(home, MOBILE), "duration_s": 1}
        answer = patiently(lambda: self.api.post(f"{CALL_CONTROL}/simulate", body))
        denial = (answer["denial"] or {}).get("reason", "")
        return bool(answer["decision"] == "allow" or denial in ("no_credit", "daily_limit_reached"))

    def admin(self, name: str, client_id: str | None = None) -> RestClient:
        """A person of this brand, or of one of its clients, logged in."""
        body = {"username": f"{name}-{self.id[-6:]}", "password": ADMIN_PASSWORD, "brand_id": self.id}
        body |= {"client_id": client_id} if client_id else {}
        self.api.post(f"{PROVISIONING}/admins", body)
        return RestClient.login(self.platform.stack.url, body["username"], ADMIN_PASSWORD)


class Platform:
    """A running stack seen by its operator, with one SIP edge."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._logged_in_at = -LOGIN_GOOD_S
        self._edges: dict[str, Edge] = {}
        self._last_number = itertools.count(1)

    @property
    def api(self) -> RestClient:
        """REST as the platform admin; logged in again before the token ends."""
        if time.monotonic() - self._logged_in_at > LOGIN_GOOD_S:
            self._api = self.stack.admin()
            self._logged_in_at = time.monotonic()
        return self._api

    def wait_served(self) -> None:
        """After a fault: ready, and people's requests are answered by every service."""
        self.stack.wait_ready()
        paths = (
            f"{PROVISIONING}/brands",
            f"{CALL_CONTROL}/calls",
            f"{BILLING}/postings",
            f"{NOTIFIER}/notifications",
        )
        until(lambda: all(self.api.http.get(p).status_code == 200 for p in paths), "everybody serves again")

    @cached_property
    def public(self) -> RestClient:
        """REST without any token, for `/dev` and the like."""
        return RestClient(self.stack.url)

    def next_number(self) -> int:
        """DDIs are unique on the platform."""
        return next(self._last_number)

    def edge(self, name: str = "edge-1") -> Edge:
        """An edge with a key of its own."""
        if name not in self._edges:
            key = str(self.api.post(f"{PROVISIONING}/edges", {"name": name})["key"])
            self._edges[name] = Edge(self.stack.url, key)
            until(lambda: self._edges[name].is_known(), f"call-control knows edge {name}")
        return self._edges[name]

    def brand(self, name: str, **fields: Any) -> Brand:
        """A brand whose clients can call everywhere."""
        domain = f"sip.{name.lower().replace(' ', '-')}.example"
        body = {"name": name, "sip_domain": domain, "features": ["billing"], "country": "ES"}
        body |= {"timezone": "Europe/Madrid", "currency": "EUR", "language": "es", **UNHURRIED, **fields}
        brand = Brand(self, self.api.post(f"{PROVISIONING}/brands", body)["id"], domain)
        self._rates(brand)
        self._way_out(brand)
        return brand

    def _rates(self, brand: Brand) -> None:
        own = {"brand_id": brand.id, "currency": "EUR"}
        deck: Row = patiently(lambda: self.api.post(f"{BILLING}/rate-decks", {**own, "name": "World"}))
        brand.deck_id, brand.ids["rate-decks"] = deck["id"], deck["id"]
        brand.ids["jobs"] = self.import_sheet(deck["id"], SHEET)["id"]
        plan = self.api.post(f"{BILLING}/rating-plans", {**own, "name": "Residential"})
        brand.plan_id, brand.ids["rating-plans"] = plan["id"], plan["id"]
        self.api.post(f"{BILLING}/rating-plans/{plan['id']}/entries", {"rate_deck_id": deck["id"]})

    def import_sheet(self, deck_id: str, sheet: str) -> Row:
        """Upload a sheet and follow its job to the end; the job."""
        files = {"file": ("world.csv", sheet.encode(), "text/csv")}
        answer = self.api.http.post(f"{BILLING}/rate-decks/{deck_id}/import", files=files)
        assert answer.status_code == 202, answer.text

        def ended() -> Row | None:
            job: Row = self.api.get(f"{BILLING}/jobs/{answer.json()['id']}")
            return None if job["state"] in ("queued", "running") else job

        job = until(ended, "the import ends")
        assert job["state"] == "done", job
        return job

    def _way_out(self, brand: Brand) -> None:
        own, ids, post = {"brand_id": brand.id}, brand.ids, self.api.post
        ids["carriers"] = post(f"{PROVISIONING}/carriers", {**own, "name": "Out"})["id"]
        for host in ("198.51.100.9", "198.51.100.10"):
            server = {"carrier_id": ids["carriers"], "host": host, "port": 5060}
            ids["carrier-servers"] = post(f"{PROVISIONING}/carrier-servers", server)["id"]
        anywhere = {**own, "name": "Everywhere", "prefix": "+"}
        ids["destination-patterns"] = post(f"{PROVISIONING}/destination-patterns", anywhere)["id"]
        route = {**own, "mode": "static", "destination_pattern_id": ids["destination-patterns"]}
        ids["routes"] = post(f"{PROVISIONING}/routes", {**route, "carrier_id": ids["carriers"]})["id"]
        numbering = {**own, "name": "Spain", "country": "ES", "generate_rules": True}
        brand.set_id = post(f"{PROVISIONING}/transformation-sets", numbering)["id"]
        ids["transformation-sets"] = brand.set_id
