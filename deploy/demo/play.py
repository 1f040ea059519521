"""A minute of realistic traffic against a running `make run`, with a live view, then what it caused.

make demo            (same PORT and DATA as the running one)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from random import Random
from typing import Any

import httpx
from edge_simulator import EdgeSimulator
from landline.chassis.embedded.rest_client import RestClient
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

SECONDS = 60
SHOWN = 14
LONG = 34
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:")
COLOURS = {"denied": "red", "talking": "green", "ringing": "yellow", "ended": "dim", "report": "magenta"}
GOOD = ("0034600123123", "915550123", "0044207946000", "0012125550100", "0034611222333")
SATELLITE = "00870776123456"


def refusals(edge: EdgeSimulator, device: str, other: str) -> list[Coroutine[Any, Any, None]]:
    """One denial of each kind that a household meets."""
    return [
        edge.call(device, "12x"),
        edge.call(other, SATELLITE),
        edge.call("nobody", GOOD[0]),
        edge.call(device, GOOD[0], from_user=other),
        edge.call(device, GOOD[0], auth_realm="sip.unknown.example", from_domain="sip.unknown.example"),
        edge.call(device, GOOD[0], auth_realm="203.0.113.1", from_domain="203.0.113.1"),
    ]


async def traffic(edge: EdgeSimulator, devices: list[str], seconds: float) -> None:
    """Calls of all kinds for a while; a dear one or two reach the daily limit of the first client."""
    random, until = Random(7), time.monotonic() + seconds
    running: set[asyncio.Task[None]] = set()

    def start(call: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(call)
        running.add(task)
        task.add_done_callback(running.discard)

    script = iter(refusals(edge, *devices[:2]))
    dear: tuple[int, ...] = (6, 6, 6)
    dear_at = time.monotonic() + seconds * 0.65
    while time.monotonic() < until:
        # The first home falls silent for a while: its dear calls shall meet the daily limit, not max_calls.
        talkers = devices[1:] if dear_at - 10 < time.monotonic() < dear_at + 4 else devices
        for device in talkers:
            start(edge.call(device, random.choice(GOOD), talk_s=random.choice((0, 2, 3, 5)), ring_s=1))
        if (refused := next(script, None)) is not None:
            start(refused)
        if dear and time.monotonic() > dear_at:
            for talk_s in dear:
                start(edge.call(devices[0], SATELLITE, talk_s=talk_s, ring_s=0.2))
                await asyncio.sleep(0.5)
            dear = ()
        await asyncio.sleep(2.5)
    await asyncio.gather(*running)


def view(edge: EdgeSimulator, usage: list[dict[str, Any]], left_s: float) -> Group:
    """What is going on right now."""
    calls = Table(title=f"calls ({left_s:.0f} s to go)", expand=True)
    for column in ("device", "call", "state", "detail"):
        calls.add_column(column, no_wrap=True, overflow="ellipsis")
    for line in edge.lines[-SHOWN:]:
        colour = next((c for start, c in COLOURS.items() if line.state.startswith(start)), "white")
        calls.add_row(line.who, line.callee, f"[{colour}]{line.state}[/]", line.detail)
    money = Table(title="clients", expand=True)
    for column in ("client", "active", "spent today", "held", "limit", "available"):
        money.add_column(column)
    for row in usage:
        names = ("client", "active_calls", "day_spend", "day_held", "max_daily_usage", "available")
        money.add_row(*(str(row.get(name)) for name in names))
    return Group(calls, money)


async def play(url: str, demo: dict[str, Any], seconds: float, console: Console) -> EdgeSimulator:
    """Run the traffic under the live view."""
    admin = demo["logins"][0]
    api = await asyncio.to_thread(RestClient.login, url, admin["username"], admin["password"])
    headers = {"Authorization": f"Bearer {demo['edge_key']}"}
    accounts = demo["accounts"]
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as http:
        edge = EdgeSimulator(http, accounts[0]["domain"])
        work = asyncio.create_task(traffic(edge, [a["device"] for a in accounts], seconds))
        end = time.monotonic() + seconds + 8
        with Live(console=console, refresh_per_second=4, transient=not console.is_terminal) as live:
            while not work.done():
                usage = [
                    {**await asyncio.to_thread(api.get, usage_path(a)), "client": a["client"]}
                    for a in accounts
                ]
                live.update(view(edge, usage, max(0.0, end - time.monotonic())))
                await asyncio.sleep(0.4)
        await work
    return edge


def usage_path(account: dict[str, Any]) -> str:
    """Where a client's live figures are."""
    return f"/api/call-control/v1/clients/{account['client_id']}/usage"


def table(title: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> Table:
    """Some columns of some rows."""
    made = Table(title=title, expand=True)
    for column in columns:
        made.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        made.add_row(*(cell(row.get(column)) for column in columns))
    return made


def cell(value: Any) -> str:
    """A value as a table shows it: times to the second, long ids by their end."""
    text = "" if value is None else str(value)
    if TIME.match(text):
        return text[11:19]
    return f"...{text[-12:]}" if len(text) > LONG and " " not in text else text


def aftermath(url: str, demo: dict[str, Any], edge: EdgeSimulator, console: Console) -> None:
    """The records, the ledger and the mails that the traffic caused; waits until the last call is posted."""
    admin = demo["logins"][0]
    api = RestClient.login(url, admin["username"], admin["password"])
    until = time.monotonic() + 15
    first = usage_path(demo["accounts"][0])
    while api.get(first)["active_calls"] and time.monotonic() < until:
        time.sleep(0.2)
    time.sleep(1.5)
    records = api.get("/api/billing/v1/call-records", limit=15, sort="-started_at")["items"]
    columns: tuple[str, ...] = (
        "started_at",
        "caller",
        "callee",
        "destination",
        "duration_s",
        "price",
        "cause",
    )
    console.print(table("call records (newest 15)", records, columns))
    postings = api.get("/api/billing/v1/postings", limit=12)["items"]
    columns = ("created_at", "kind", "sequence", "amount", "balance_after", "call_id")
    console.print(table("ledger (newest 12)", postings, columns))
    mails = httpx.get(f"{url}/dev/mails").json()
    console.print(table("mails (newest first)", mails, ("date", "to", "subject")))
    console.print("denials:", ", ".join(f"{reason} x{n}" for reason, n in edge.denials.most_common()))


def main() -> None:
    """Read where the run is, play, show."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--url", default="http://127.0.0.1:8080")
    options.add_argument("--data", default="data")
    options.add_argument("--seconds", type=float, default=SECONDS)
    given = options.parse_args()
    demo_file = Path(given.data) / "demo.json"
    if not demo_file.exists():
        sys.exit(f"no demo brand in {given.data}: start `make run` first, with the same DATA")
    demo = json.loads(demo_file.read_text())
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        edge = asyncio.run(play(given.url, demo, given.seconds, console))
    except httpx.ConnectError:
        sys.exit(f"nothing answers at {given.url}: start `make run` first, with the same PORT")
    aftermath(given.url, demo, edge, console)


if __name__ == "__main__":
    main()
