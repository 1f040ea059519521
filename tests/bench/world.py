"""The bench's world: one brand, a deck of 100,000 real prefixes by import, 10,000 clients by stream.

The brand, its way out and its rates go through the REST APIs as an operator's would. The clients are
published as provisioning publishes them: what is measured is admission, not the making of 30,000 rows.
"""

from __future__ import annotations

import csv
import io
import json
import time
from itertools import chain, islice
from pathlib import Path
from typing import Any

import redis
from landline.chassis.embedded.rest_client import Refused, RestClient
from landline.contracts import streams
from landline.contracts.billing.events import ProfilePublished
from landline.contracts.envelope import Event, fields, seal
from landline.contracts.provisioning.events import EntityChanged
from landline.kernel.ids import new_id
from landline.numbering.real_prefixes import country_prefixes, mobile_prefixes, place_prefixes

PROVISIONING = "/api/provisioning/v1"
BILLING = "/api/billing/v1"
SIP_DOMAIN = "sip.bench.example"
CALLEES = ("+3460012", "+44207946", "+1212555", "+3491555", "+3361234", "+491511234")

Row = dict[str, Any]


def sheet(rows: int) -> str:
    """A rate sheet of so many real prefixes."""
    out = io.StringIO()
    sheet = csv.writer(out)
    sheet.writerow(["destination", "prefix", "rate", "connect fee", "increment"])
    seen: dict[str, str] = {}
    for prefix, name in chain(country_prefixes(), mobile_prefixes(), place_prefixes()):
        seen.setdefault(prefix, name)
        if len(seen) == rows:
            break
    for n, (prefix, name) in enumerate(islice(seen.items(), rows)):
        sheet.writerow([name, prefix, f"0.{100 + n % 400:04d}", "0", "1"])
    return out.getvalue()


def callee(n: int) -> str:
    """Whom home n calls: three of four their own favourite, the fourth a number nobody has called before
    (`%SOME%`: four digits of the generator's)."""
    return CALLEES[n % len(CALLEES)] + ("%SOME%" if n % 4 == 0 else f"{n % 10_000:04d}")


class BenchWorld:
    """Builds the world and knows how to ask it for calls."""

    def __init__(self, api: RestClient, store: redis.Redis) -> None:
        self.api = api
        self.store = store
        self.now_ms = time.time_ns() // 1_000_000

    def build(self, clients: int, prefixes: int) -> None:
        """Everything; `edge_key` afterwards."""
        brand: Row = self.api.post(
            f"{PROVISIONING}/brands",
            {
                "name": "Bench",
                "sip_domain": SIP_DOMAIN,
                "country": "ES",
                "timezone": "Europe/Madrid",
                "max_calls_per_minute": 0,
            },
        )
        self.brand_id = brand["id"]
        self.edge_key = self.api.post(f"{PROVISIONING}/edges", {"name": "bench"})["key"]
        self._way_out()
        plan_id = self._rates(prefixes)
        self.clients = [self._client(n, plan_id) for n in range(clients)]

    def _way_out(self) -> None:
        own = {"brand_id": self.brand_id}
        carrier = self.api.post(f"{PROVISIONING}/carriers", {**own, "name": "Out"})
        for host in ("198.51.100.9", "198.51.100.10"):
            server = {"carrier_id": carrier["id"], "host": host, "port": 5060}
            self.api.post(f"{PROVISIONING}/carrier-servers", server)
        pattern = self.api.post(f"{PROVISIONING}/destination-patterns", {**own, "name": "All", "prefix": "+"})
        route = {
            **own,
            "mode": "static",
            "destination_pattern_id": pattern["id"],
            "carrier_id": carrier["id"],
        }
        self.api.post(f"{PROVISIONING}/routes", route)
        numbering = {**own, "name": "Spain", "country": "ES", "generate_rules": True}
        self.set_id = self.api.post(f"{PROVISIONING}/transformation-sets", numbering)["id"]

    def _rates(self, prefixes: int) -> str:
        deck_body = {"brand_id": self.brand_id, "name": "World", "currency": "EUR"}
        deck = self._patiently(f"{BILLING}/rate-decks", deck_body)
        self._deck_id, self._sheet = deck["id"], sheet(prefixes)
        self.import_deck()
        plan = self.api.post(
            f"{BILLING}/rating-plans", {"brand_id": self.brand_id, "name": "P", "currency": "EUR"}
        )
        self.api.post(f"{BILLING}/rating-plans/{plan['id']}/entries", {"rate_deck_id": deck["id"]})
        return str(plan["id"])

    def import_deck(self) -> None:
        """The whole sheet, as a new version of the deck."""
        files = {"file": ("world.csv", self._sheet.encode(), "text/csv")}
        answer = self.api.http.post(f"{BILLING}/rate-decks/{self._deck_id}/import", files=files)
        if answer.is_error:
            raise Refused(answer)
        job = answer.json()
        while job["state"] in ("queued", "running"):
            time.sleep(0.05)
            job = self.api.get(f"{BILLING}/jobs/{job['id']}")
        if job["state"] != "done":
            raise RuntimeError(f"the deck was refused: {job}")

    def _patiently(self, path: str, body: Row) -> Row:
        until = time.monotonic() + 30
        while True:
            try:
                return dict(self.api.post(path, body))
            except Refused as refused:  # billing has not heard of the brand yet
                if refused.status not in (404, 422) or time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _client(self, n: int, plan_id: str) -> Row:
        client_id, device_id, ddi_id = new_id(), new_id(), new_id()
        number = f"+3494{n:07d}"
        own = {"brand_id": self.brand_id, "client_id": client_id}
        client = {
            **own, "id": client_id, "name": f"Home {n}", "enabled": True, "billing_method": "postpaid",
            "features": [], "language": "es", "country": "ES", "timezone": "Europe/Madrid", "currency": "EUR",
            "transformation_set_id": self.set_id, "max_calls": 0, "ip_filter": True,
            "geoip_countries": ["GB"], "max_daily_usage": "100000.00",
            "daily_usage_alerts": [80, 100], "outgoing_ddi_id": ddi_id, "credit_limit": "100000.00",
        }  # fmt: skip
        device = {**own, "id": device_id, "name": f"home{n}", "enabled": True, "direct_connectivity": False,
                  "codecs": ["alaw"], "max_calls": 1}  # fmt: skip
        ddi = {**own, "id": ddi_id, "number": number, "kind": "inout", "state": "active", "country": "ES"}
        for entity, row in (("client", client), ("device", device), ("ddi", ddi)):
            changed = EntityChanged(entity=entity, entity_id=row["id"], entity_version=1, data=row)
            self._publish(streams.CONFIG, changed, client_id)
        profile = ProfilePublished(profile_id=new_id(), version=1, client_id=client_id, plan_id=plan_id)
        self._publish(streams.RATES, profile, client_id)
        return {"device": f"home{n}", "number": number, "client_id": client_id}

    def _publish(self, stream: str, event: Event, client_id: str) -> None:
        sealed = seal(
            event, producer="bench", now_ms=self.now_ms, brand_id=self.brand_id, client_id=client_id
        )
        self.store.xadd(stream, fields(sealed))

    def request(self, n: int) -> Row:
        """The body of an admission of client n; `%ID%` is for the generator."""
        client = self.clients[n % len(self.clients)]
        return {
            "attempt_id": "%ID%", "sip_call_id": f"bench-{n}@edge", "direction": "outbound",
            "source_ip": "81.2.69.142", "source_port": 5060, "transport": "udp",
            "auth_user": client["device"], "auth_realm": SIP_DOMAIN,
            "from_user": client["device"], "from_domain": SIP_DOMAIN, "request_domain": SIP_DOMAIN,
            "request_user": "00" + callee(n)[1:],
            "asserted_identity": client["number"], "privacy": "none", "fax": False, "user_agent": "bench/1",
        }  # fmt: skip

    def write_bodies(self, path: Path) -> None:
        """One request a client, for the generator."""
        path.write_text("\n".join(json.dumps(self.request(n)) for n in range(len(self.clients))))

    def wait_until_known(self, within_s: float = 300.0) -> float:
        """Until the last client's calls are allowed; the seconds that took."""
        edge = RestClient(str(self.api.http.base_url), self.edge_key)
        started = time.monotonic()
        body = {**self.request(len(self.clients) - 1), "request_user": "0034600123123"}
        while True:
            answer = edge.post("/api/call-control/v1/calls", {**body, "attempt_id": new_id()})
            if answer["decision"] == "allow":
                end = {"at": time.time(), "cause": "cancelled", "ended_by": "caller", "sip_code": 487}
                edge.post(f"/api/call-control/v1/calls/{answer['call_id']}/ended", end)
                return time.monotonic() - started
            if time.monotonic() - started > within_s:
                raise TimeoutError(f"the bench's clients do not arrive: {answer}")
            time.sleep(0.2)
