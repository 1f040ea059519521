"""CPU of one admission without HTTP: the worker's own code in this process, over a real Valkey.

    python -m tests.bench.in_process [--clients N] [--in-flight N] [--count N] [--rounds N]

Counts CPU time of this process and of Valkey, not wall clock, so that a busy machine matters little. It is
the tool behind decision 0017: change something, run it before and after. `noop` is the same endpoint path
(authenticate, read the body, answer 700 bytes) and shows what the ASGI driver itself costs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import uvloop
from call_control.main import app as call_control_app
from call_control.wiring import Parts
from fastapi import FastAPI
from landline.chassis.embedded.valkey import Valkey
from landline.chassis.settings import Settings
from landline.kernel.ids import new_id

from tests.support import configured
from tests.support.configured import BRAND, DOMAIN, KEY, PLAN, SET, row

BASE = "/api/call-control/v1"


def clients(count: int) -> Iterator[Any]:
    """Homes as the bench has them: postpaid, a daily limit, a credit limit, an IP filter by country."""
    for n in range(count):
        client_id, device_id, ddi_id = new_id(), new_id(), new_id()
        own: dict[str, Any] = {"client_id": client_id}
        data = {
            "brand_id": BRAND, "name": f"Home {n}", "enabled": True, "billing_method": "postpaid",
            "language": "es", "country": "ES", "timezone": "Europe/Madrid", "currency": "EUR",
            "transformation_set_id": SET, "max_calls": 0, "ip_filter": True, "geoip_countries": ["GB"],
            "max_daily_usage": "100000.00", "daily_usage_alerts": [80, 100], "outgoing_ddi_id": ddi_id,
            "credit_limit": "100000.00",
        }  # fmt: skip
        yield row("client", client_id, data, **own)
        yield row("device", device_id, {"name": f"home{n}", "enabled": True, **own}, **own)
        number = {"number": f"+3494{n:07d}", "kind": "inout", "state": "active", "record": "none", **own}
        yield row("ddi", ddi_id, number, **own)
        profile_id = new_id()
        profile = {"profile_id": profile_id, "plan_id": PLAN, "activation_at_ms": 0, **own}
        yield row("profile", profile_id, profile, **own)


def body(n: int) -> bytes:
    """The request of home n, as `tests.bench.world` makes it."""
    request = {
        "attempt_id": new_id(), "sip_call_id": f"bench-{n}@edge", "direction": "outbound",
        "source_ip": "81.2.69.142", "source_port": 5060, "transport": "udp",
        "auth_user": f"home{n}", "auth_realm": DOMAIN, "from_user": f"home{n}", "from_domain": DOMAIN,
        "request_domain": DOMAIN, "request_user": f"0034600{n % 1000:06d}",
        "asserted_identity": f"+3494{n:07d}", "privacy": "none", "fax": False, "user_agent": "bench/1",
    }  # fmt: skip
    return json.dumps(request).encode()


async def ask(app: FastAPI, path: str, given: bytes, key: str = KEY) -> tuple[int, bytes]:
    """One request through the ASGI app; status and body."""
    scope = {
        "type": "http", "method": "POST", "path": BASE + path,
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", b"Bearer " + key.encode())],
    }  # fmt: skip
    status, answer = 0, b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": given, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, answer
        status = message.get("status", status)
        answer += message.get("body", b"")

    await app(scope, receive, send)
    return status, answer


class Worker:
    """The app of call-control, its world built, and the CPU it and its Valkey use."""

    def __init__(self, app: FastAPI, valkey: psutil.Process, homes: int, in_flight: int) -> None:
        self.app = app
        self.parts: Parts = app.state.parts
        self._valkey = valkey
        self._homes = homes
        self._in_flight = in_flight

    async def build(self, folder: Path) -> None:
        """The brand, its rates and the homes, as the consumers would write them."""
        # The speed of each home is counted as by default, but never refused.
        fast = configured.brand(2, max_calls_per_minute=1000)
        changes = [*configured.everything(folder / "rates"), fast, *clients(self._homes)]
        for at in range(0, len(changes), 1000):
            await self.parts.model.apply(changes[at : at + 1000], 0)
        await self.parts.redis.set("landline:cfg:ready", "1")
        for n in range(self._homes):
            status, answer = await ask(self.app, "/calls", body(n))
            assert (status, answer[:19]) == (200, b'{"decision":"allow"'), answer

    async def run(self, path: str, count: int) -> dict[str, float]:
        """So many requests, a fixed number in flight; microseconds of CPU each."""
        requests = iter([body(n % self._homes) for n in range(count)])
        redis_s, own_s, began = self._valkey_s(), time.process_time(), time.perf_counter()

        async def drive() -> None:
            for given in requests:
                status, _ = await ask(self.app, path, given)
                assert status == 200

        await asyncio.gather(*(drive() for _ in range(self._in_flight)))
        own_s, redis_s = time.process_time() - own_s, self._valkey_s() - redis_s
        each = 1e6 / count
        took_s = time.perf_counter() - began
        return {"python_us": own_s * each, "valkey_us": redis_s * each, "per_s": count / took_s}

    def _valkey_s(self) -> float:
        times = self._valkey.cpu_times()
        return float(times.user + times.system)


async def measure(options: argparse.Namespace, folder: Path, valkey: Valkey) -> None:
    """Build, warm, measure; prints the best and the middle of all rounds."""
    settings = Settings(
        redis_url=valkey.url(), data=folder, ticket_key="t" * 40, secrets_key="a" * 43 + "=", _env_file=None
    )
    made = call_control_app(settings)
    async with made.router.lifespan_context(made):
        server = next(p for p in psutil.Process().children() if "valkey" in p.name())
        worker = Worker(made, server, options.clients, options.in_flight)
        await worker.build(folder)
        for path in ("/noop", "/calls"):
            trips, commands = worker.parts.batch.round_trips, worker.parts.batch.commands
            found = [await worker.run(path, options.count) for _ in range(options.rounds)]
            for name in ("python_us", "valkey_us"):
                each = sorted(figures[name] for figures in found)
                print(f"{path:7} {name} best {each[0]:.1f} median {each[len(each) // 2]:.1f}", flush=True)
            commands, trips = worker.parts.batch.commands - commands, worker.parts.batch.round_trips - trips
            print(f"{path:7} commands in a batch {commands / trips if trips else 0:.1f}")


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--clients", type=int, default=1_000)
    options.add_argument("--in-flight", type=int, default=64)
    options.add_argument("--count", type=int, default=5_000)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        valkey = Valkey(folder / "valkey", "secret", folder / "valkey.log")
        valkey.start()
        try:
            uvloop.run(measure(given, folder, valkey))
        finally:
            valkey.stop()


if __name__ == "__main__":
    main()
