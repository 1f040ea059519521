"""Adds the demo brand through the public APIs; run again, it adds only what is missing.

Prints one JSON object: logins, the edge's key, the clients' SIP accounts and a curl that admits a call.
Environment: LANDLINE_PUBLIC_URL, LANDLINE_ADMIN_PASSWORD.
"""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import time
from collections.abc import Callable
from typing import Any

from landline.chassis.embedded.rest_client import Refused, RestClient
from landline.kernel.ids import new_id
from landline.numbering.real_prefixes import country_prefixes, mobile_prefixes

PROVISIONING = "/api/provisioning/v1"
BILLING = "/api/billing/v1"
CALLS = "/api/call-control/v1/calls"
SIP_DOMAIN = "sip.demo.example"
WAIT_S = 60.0

Row = dict[str, Any]

# Demo prices per minute (fixed, mobile) by the first digits of real prefixes; satellite is dear on purpose.
HOME = {
    "+34": ("0.0100", "0.0350"),
    "+44": ("0.0180", "0.0420"),
    "+1": ("0.0120", "0.0120"),
    "+870": ("0.4000", "0.4000"),
}
WORLD = ("0.1500", "0.2500")

CLIENTS: tuple[Row, ...] = (
    {
        "name": "Casa Garcia",
        "billing_method": "postpaid",
        "language": "es",
        "max_calls": 4,  # room for the call of the printed curl beside three dear ones that meet the limit
        "max_daily_usage": "1.00",
        "allowed_risk_classes": ["normal", "special_rate", "high_risk"],
        "daily_usage_emails": ["garcia@example.net"],
        "show_billing_details": True,
    },
    {
        "name": "Smith Home",
        "billing_method": "prepaid",
        "language": "en",
        "max_calls": 2,
        "daily_usage_emails": ["smith@example.net"],
        "show_billing_details": True,
    },
)
NUMBERS = {"Casa Garcia": ("casa1", "+34944048182"), "Smith Home": ("smith1", "+34944048183")}
PREPAID_BALANCE = "5.00"


def patiently(act: Callable[[], Any]) -> Any:
    """Repeat while another service has not heard of a new row yet (404, 422): at most `WAIT_S` seconds."""
    until = time.monotonic() + WAIT_S
    while True:
        try:
            return act()
        except Refused as refused:
            if refused.status not in (404, 422) or time.monotonic() > until:
                raise
        time.sleep(0.1)


class Seed:
    """Builds the demo brand step by step; every step looks before it adds."""

    def __init__(self, api: RestClient) -> None:
        self.api = api
        self.summary: Row = {"logins": [], "accounts": []}

    def ensure(self, path: str, match: Row, body: Row) -> Row:
        """The row that matches, made if there is none."""
        for row in self.api.items(path, **match):
            return dict(row)
        return dict(self.api.post(path, {**body, **match}))

    def build(self) -> Row:
        """The whole demo; returns the summary."""
        brand = self.brand()
        plan_id = self.rates(brand["id"])
        self.way_out(brand["id"])
        self.edge()
        for wanted in CLIENTS:
            self.client(brand, plan_id, wanted)
        self.admins(brand["id"])
        self.summary["curl"] = self.curl()
        return self.summary

    def brand(self) -> Row:
        """A brand in Spain."""
        body = {
            "name": "Demo Telecom",
            "features": ["billing", "faxes", "recordings", "voicemail"],
            "country": "ES",
            "timezone": "Europe/Madrid",
            "currency": "EUR",
            "language": "es",
            "probation_days": 0,
        }
        row = self.ensure(f"{PROVISIONING}/brands", {"sip_domain": SIP_DOMAIN}, body)
        self.summary["brand_id"] = row["id"]
        return row

    def rates(self, brand_id: str) -> str:
        """A deck of real prefixes, imported as a sheet, in a plan; returns the plan's id."""
        make = {"name": "World", "currency": "EUR", "brand_id": brand_id}
        deck = patiently(lambda: self.ensure(f"{BILLING}/rate-decks", {"name": "World"}, make))
        if not deck["rows"]:
            self.import_sheet(deck["id"])
        make = {"currency": "EUR", "timezone": "Europe/Madrid", "brand_id": brand_id}
        plan = self.ensure(f"{BILLING}/rating-plans", {"name": "Residential"}, make)
        entries = f"{BILLING}/rating-plans/{plan['id']}/entries"
        self.ensure(entries, {"rate_deck_id": deck["id"]}, {"weight": 10})
        return str(plan["id"])

    def import_sheet(self, deck_id: str) -> None:
        """Upload the sheet and follow its job to the end."""
        files = {"file": ("world.csv", sheet().encode(), "text/csv")}
        answer = self.api.http.post(f"{BILLING}/rate-decks/{deck_id}/import", files=files)
        if answer.is_error:
            raise Refused(answer)
        job_path = f"{BILLING}/jobs/{answer.json()['id']}"
        until = time.monotonic() + WAIT_S
        while (job := self.api.get(job_path))["state"] in ("queued", "running"):
            if time.monotonic() > until:
                raise TimeoutError(f"the import of the demo deck does not end: {job}")
            time.sleep(0.2)
        if job["state"] != "done":
            raise RuntimeError(f"the demo deck was refused: {job}")

    def way_out(self, brand_id: str) -> None:
        """A carrier with two servers and a route for every number."""
        carrier = self.ensure(f"{PROVISIONING}/carriers", {"name": "Demo Carrier"}, {"brand_id": brand_id})
        for host in ("198.51.100.9", "198.51.100.10"):
            where = {"carrier_id": carrier["id"], "host": host}
            self.ensure(f"{PROVISIONING}/carrier-servers", where, {"port": 5060})
        anywhere = {"brand_id": brand_id, "name": "Everywhere"}
        pattern = self.ensure(f"{PROVISIONING}/destination-patterns", {"prefix": "+"}, anywhere)
        route = {"mode": "static", "brand_id": brand_id, "carrier_id": carrier["id"]}
        self.ensure(f"{PROVISIONING}/routes", {"destination_pattern_id": pattern["id"]}, route)

    def edge(self) -> None:
        """The SIP edge; a key is shown once, so an old edge gets a new one."""
        found = list(self.api.items(f"{PROVISIONING}/edges", name="demo-edge"))
        if found:
            row = self.api.patch(f"{PROVISIONING}/edges/{found[0]['id']}", {"reset_key": True})
        else:
            row = self.api.post(f"{PROVISIONING}/edges", {"name": "demo-edge"})
        self.summary["edge_key"] = row["key"]

    def client(self, brand: Row, plan_id: str, wanted: Row) -> None:
        """A home with a device, a number, a plan and, if prepaid, some money."""
        numbering = {"name": "Spain", "brand_id": brand["id"], "country": "ES", "generate_rules": True}
        dialling = self.ensure(f"{PROVISIONING}/transformation-sets", {"name": "Spain"}, numbering)
        body = {**wanted, "brand_id": brand["id"], "transformation_set_id": dialling["id"]}
        client = self.ensure(f"{PROVISIONING}/clients", {"name": wanted["name"]}, body)
        device_name, number = NUMBERS[wanted["name"]]
        owner = {"client_id": client["id"]}
        device = self.ensure(f"{PROVISIONING}/devices", {"name": device_name}, owner)
        ddi = self.ensure(f"{PROVISIONING}/ddis", {"number": number}, {**owner, "brand_id": brand["id"]})
        self.api.patch(f"{PROVISIONING}/clients/{client['id']}", {"outgoing_ddi_id": ddi["id"]})
        self.profile(client["id"], plan_id)
        self.summary["accounts"].append(
            {"client_id": client["id"], "client": wanted["name"], "device": device_name, "number": number,
             "domain": SIP_DOMAIN, "password": device.get("password")}
        )  # fmt: skip
        if wanted["billing_method"] == "prepaid":
            operation = {"operation": "increment", "amount": PREPAID_BALANCE, "reason": "first money"}
            path = f"{BILLING}/clients/{client['id']}/balance/operations"
            self.api.post(path, operation, X_Reason="demo", Idempotency_Key=f"demo-{client['id']}")

    def profile(self, client_id: str, plan_id: str) -> None:
        """Priced by the demo plan since last year."""
        make = {"rating_plan_id": plan_id, "activation_time": "2025-01-01T00:00:00Z"}
        path = f"{BILLING}/rating-profiles"
        patiently(lambda: self.ensure(path, {"client_id": client_id}, make))

    def admins(self, brand_id: str) -> None:
        """One person per level; known ones get a new password, since none can be read back."""
        client_id = self.summary["accounts"][0]["client_id"]
        levels: dict[str, Row] = {
            "demo-brand": {"brand_id": brand_id},
            "demo-garcia": {"brand_id": brand_id, "client_id": client_id},
        }
        secret = os.environ["LANDLINE_ADMIN_PASSWORD"]
        self.summary["logins"].append({"level": "platform", "username": "admin", "password": secret})
        for (username, where), level in zip(levels.items(), ("brand", "client"), strict=True):
            password = secrets.token_urlsafe(12)
            found = list(self.api.items(f"{PROVISIONING}/admins", username=username))
            if found:
                self.api.patch(f"{PROVISIONING}/admins/{found[0]['id']}", {"password": password})
            else:
                self.api.post(f"{PROVISIONING}/admins", {"username": username, "password": password, **where})
            self.summary["logins"].append({"level": level, "username": username, "password": password})

    def curl(self) -> str:
        """A command line that admits a call of the first client to a Spanish mobile."""
        account = self.summary["accounts"][0]
        body = {
            "attempt_id": new_id(),
            "sip_call_id": "try-1",
            "direction": "outbound",
            "source_ip": "203.0.113.7",
            "auth_user": account["device"],
            "auth_realm": SIP_DOMAIN,
            "from_user": account["device"],
            "from_domain": SIP_DOMAIN,
            "request_user": "0034600123123",
            "request_domain": SIP_DOMAIN,
        }
        url = os.environ["LANDLINE_PUBLIC_URL"]
        return (
            f"curl -s {url}{CALLS} \\\n  -H 'Authorization: Bearer {self.summary['edge_key']}' \\\n"
            f"  -H 'Content-Type: application/json' \\\n  -d '{json.dumps(body)}'"
        )


def sheet() -> str:
    """The demo deck as a CSV: every country, and every mobile range that the metadata knows."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["destination", "prefix", "rate", "connect fee", "increment"])
    seen: set[str] = set()
    for mobile, prefixes in ((False, country_prefixes()), (True, mobile_prefixes())):
        for prefix, name in prefixes:
            if prefix not in seen:
                seen.add(prefix)
                home = next((rates for start, rates in HOME.items() if prefix.startswith(start)), WORLD)
                rows.writerow([name, prefix, home[mobile], "0", "1"])
    return out.getvalue()


def main() -> None:
    """Seed and say what there is."""
    url, password = os.environ["LANDLINE_PUBLIC_URL"], os.environ["LANDLINE_ADMIN_PASSWORD"]
    print(json.dumps(Seed(RestClient.login(url, "admin", password)).build()))


if __name__ == "__main__":
    main()
