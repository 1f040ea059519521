#!/usr/bin/env python3
"""From an empty platform to a phone that can call: one brand, one client, one phone, one way out, one edge.

    deploy/first_brand.py --url http://127.0.0.1:8080 --domain sip.example.net --number +34944048182 \\
        --carrier 198.51.100.9 [--prefix +=0.05] [--control-url http://172.30.77.1:8091/]

Everything goes through the public API and is an ordinary object afterwards: change or delete it there.
Standard library only. The admin's password: LANDLINE_ADMIN_PASSWORD, else deploy/secrets/admin_password.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

SECRETS = Path(os.environ.get("LANDLINE_SECRETS") or Path(__file__).parent / "secrets")
WAIT_S = 60.0
Row = dict[str, Any]


class Api:
    """REST as the platform's admin."""

    def __init__(self, url: str, password: str) -> None:
        self._url, self._headers = url.rstrip("/"), {}
        said = self.post("provisioning/auth/login", {"username": "admin", "password": password})
        self._headers = {"Authorization": f"Bearer {said['access_token']}"}

    def post(self, path: str, body: Row) -> Row:
        """POST JSON; what was made."""
        return self._ask("POST", path, json.dumps(body).encode(), "application/json")

    def patch(self, path: str, body: Row) -> Row:
        """Change fields."""
        return self._ask("PATCH", path, json.dumps(body).encode(), "application/json")

    def get(self, path: str) -> Row:
        """One object."""
        return self._ask("GET", path, None, "application/json")

    def upload(self, path: str, name: str, content: bytes) -> Row:
        """A file, as browsers send it."""
        edge = uuid.uuid4().hex
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
        return self._ask("POST", path, body, f"multipart/form-data; boundary={edge}")

    def patiently(self, path: str, body: Row) -> Row:
        """POST, again while another service has not heard of a new object yet."""
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                return self.post(path, body)
            except urllib.error.HTTPError as error:
                if error.code not in (404, 422) or time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def _ask(self, method: str, path: str, body: bytes | None, kind: str) -> Row:
        service, _, rest = path.partition("/")
        headers = {**self._headers, "Content-Type": kind}
        url = f"{self._url}/api/{service}/v1/{rest}"
        request = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            said: Row = json.loads(answer.read())
        return said


def build(api: Api, args: argparse.Namespace) -> Row:
    """Everything that one call needs; what a person must know of it."""
    brand = api.post("provisioning/brands", {
        "name": args.domain, "sip_domain": args.domain, "features": ["billing"], "country": args.country,
        "currency": args.currency, "timezone": args.timezone, "language": args.language,
    })  # fmt: skip
    own = {"brand_id": brand["id"]}
    numbering = {**own, "name": args.country, "country": args.country, "generate_rules": True}
    plan = _prices(api, own, args)
    _way_out(api, own, args)
    client = api.post("provisioning/clients", {
        **own, "name": "First client", "billing_method": "postpaid",
        "transformation_set_id": api.post("provisioning/transformation-sets", numbering)["id"],
    })  # fmt: skip
    device = api.post("provisioning/devices", {"client_id": client["id"], "name": "phone1"})
    ddi = {**own, "client_id": client["id"], "number": args.number, "country": args.country}
    made = api.post("provisioning/ddis", {**ddi, "target": "device", "device_id": device["id"]})
    api.patch(f"provisioning/clients/{client['id']}", {"outgoing_ddi_id": made["id"]})
    profile = {"client_id": client["id"], "rating_plan_id": plan, "activation_time": "2025-01-01T00:00:00Z"}
    api.patiently("billing/rating-profiles", profile)
    edge = api.post("provisioning/edges", {"name": args.edge, "control_url": args.control_url})
    return {"brand": brand, "client": client, "device": device, "edge": edge}


def _prices(api: Api, own: Row, args: argparse.Namespace) -> str:
    """A deck with one price a minute for each prefix, and a plan of it."""
    deck = api.patiently("billing/rate-decks", {**own, "name": "First prices", "currency": args.currency})
    lines = ["destination,prefix,rate,connect fee,increment"]
    lines += [f"{prefix},{prefix},{rate},0,1" for prefix, rate in args.prices.items()]
    job = api.upload(f"billing/rate-decks/{deck['id']}/import", "prices.csv", "\n".join(lines).encode())
    deadline = time.monotonic() + WAIT_S
    while (found := api.get(f"billing/jobs/{job['id']}"))["state"] in ("queued", "running"):
        if time.monotonic() > deadline:
            sys.exit("the prices are not read yet: is billing-consume running?")
        time.sleep(0.2)
    if found["state"] != "done":
        sys.exit(f"the prices were refused: {json.dumps(found)}")
    plan = api.post("billing/rating-plans", {**own, "name": "First plan", "currency": args.currency})
    api.post(f"billing/rating-plans/{plan['id']}/entries", {"rate_deck_id": deck["id"]})
    return str(plan["id"])


def _way_out(api: Api, own: Row, args: argparse.Namespace) -> None:
    host, _, port = args.carrier.partition(":")
    carrier = api.post("provisioning/carriers", {**own, "name": "First carrier"})
    server = {"carrier_id": carrier["id"], "host": host, "port": int(port or 5060)}
    api.post("provisioning/carrier-servers", server)
    pattern = {**own, "name": "Everywhere", "prefix": "+"}
    where = api.post("provisioning/destination-patterns", pattern)["id"]
    api.post("provisioning/routes", {
        **own, "mode": "static", "destination_pattern_id": where, "carrier_id": carrier["id"],
    })  # fmt: skip


def prices(words: list[str]) -> dict[str, str]:
    """`+34=0.01` is a prefix and the price of a minute there; `+=0.15` is the price everywhere else."""
    found: dict[str, str] = {}
    for word in words:
        if not re.fullmatch(r"\+\d{0,15}=\d+(\.\d+)?", word):
            sys.exit(f"--prefix {word}: such as +34=0.01, or +=0.15 for everywhere else")
        prefix, _, rate = word.partition("=")
        found |= {prefix: rate} if prefix != "+" else {f"+{digit}": rate for digit in range(1, 10)}
    return found


def arguments() -> argparse.Namespace:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the public origin")
    parser.add_argument("--domain", required=True, help="the brand's SIP domain: phones register there")
    parser.add_argument("--number", required=True, help="the phone's number, as +34944048182")
    parser.add_argument("--carrier", required=True, help="its SIP server: host or host:port")
    parser.add_argument("--prefix", nargs="+", default=["+=0.05"], help="PREFIX=PRICE of a minute")
    parser.add_argument("--country", default="ES")
    parser.add_argument("--currency", default="EUR")
    parser.add_argument("--timezone", default="Europe/Madrid")
    parser.add_argument("--language", default="es")
    parser.add_argument("--edge", default="edge1", help="LANDLINE_EDGE_NAME")
    parser.add_argument("--control-url", help="where the edge takes commands")
    args = parser.parse_args()
    args.prices = prices(args.prefix)
    return args


def main() -> None:
    """Make it all, keep the edge's key, say what to put into the phone."""
    args = arguments()
    given = os.environ.get("LANDLINE_ADMIN_PASSWORD")
    api = Api(args.url, given or (SECRETS / "admin_password").read_text().strip())
    try:
        made = build(api, args)
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.url}: {error.code} {error.read().decode()}")
    key = SECRETS / "edge_key"
    key.write_text(str(made["edge"]["key"]))
    print(f"edge {args.edge}: its key is in {key}")
    print(f"phone: user phone1, domain {args.domain}, password {made['device']['password']}")


if __name__ == "__main__":
    main()
