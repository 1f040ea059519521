"""Scale of provisioning: 100,000 clients, 1,000,000 DDIs, half of them of one brand, row-level security on.

Lists, filters and reads over HTTP; import of a sheet; rebuild of call-control's read model while calls go on;
how long a change takes to act. Prints tables and adds "provisioning" to build/bench.json.
Options: --clients, --ddis, --sheet, --rounds, --without-rebuild.

"CPU" is what the platform's processes used for one request: on a machine that does other things too, it tells
more than the time that passed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
from landline.chassis.embedded.rest_client import RestClient
from rich.console import Console
from rich.table import Table

from tests.bench.admission import machine
from tests.bench.many_rows import fill_clients, fill_ddis
from tests.bench.report import keep
from tests.bench.usage import Usage
from tests.support.stack import Stack, running_stack
from tests.support.world import MOBILE, PROVISIONING, Brand, Home, Platform, until

Figures = dict[str, Any]
REBUILD_WITHIN_S = 600


def milliseconds(taken_s: list[float]) -> Figures:
    """Percentiles of durations in seconds, as ms."""
    cuts = quantiles(taken_s, n=100, method="inclusive") if len(taken_s) > 1 else taken_s * 99
    return {"n": len(taken_s), "p50_ms": _ms(cuts[49]), "p95_ms": _ms(cuts[94]), "p99_ms": _ms(cuts[98])}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


class Scale:
    """One run over a started stack."""

    def __init__(self, stack: Stack, options: argparse.Namespace, console: Console) -> None:
        self.stack, self.options, self.console = stack, options, console
        self.platform = Platform(stack)

    def run(self) -> Figures:
        """All phases in order."""
        brand = self.platform.brand("Big")
        home = brand.home()
        others = [self._small_brand(n) for n in range(9)]
        env = self.stack.processes()["web"].environ()
        said = self.console.print
        started = time.monotonic()
        asyncio.run(fill_clients(env, brand, home, others, self.options.clients))
        said(f"{self.options.clients} clients with a device each: {time.monotonic() - started:.0f} s")
        figures: Figures = {"machine": machine(), "clients": self.options.clients, "ddis": self.options.ddis}
        if self.options.rebuild:
            figures["rebuild"] = self._rebuild(home)
            said(f"rebuild {figures['rebuild']}")
        figures["change_latency"] = self._changes(home)
        said(f"change to decision {figures['change_latency']}")
        started = time.monotonic()
        asyncio.run(fill_ddis(env, brand, home, others, self.options.ddis - self.options.clients))
        said(f"{self.options.ddis} DDIs: {time.monotonic() - started:.0f} s")
        figures["import"] = self._import(brand)
        said(f"import {figures['import']}")
        figures["queries"] = self._queries(brand, home)
        over = [t for n, f in figures["queries"].items() if not n.startswith("*") for t in f.pop("taken")]
        for found in figures["queries"].values():
            found.pop("taken", None)
        figures["all_queries"] = milliseconds(over)
        figures["memory_mb"] = Usage.read(self.stack.processes()).memory_mb()
        return figures

    def _small_brand(self, n: int) -> str:
        body = {
            "name": f"Small {n}",
            "sip_domain": f"small{n}.example",
            "country": "ES",
            "features": ["billing"],
        }
        return str(self.platform.api.post(f"{PROVISIONING}/brands", body)["id"])

    def _rebuild(self, home: Home) -> Figures:
        """`call-control rebuild` beside the running platform, and what calls noticed of it."""
        calls = Calls(self.platform, home)
        calls.start()
        time.sleep(2)
        quiet = calls.taken()
        started, used = time.monotonic(), _cpu_of_children()
        done = subprocess.run(
            [sys.executable, "-m", "call_control.main", "rebuild"],
            cwd=self.stack.data,
            env={**os.environ, **self.stack.processes()["web"].environ()},
            capture_output=True,
            text=True,
            timeout=REBUILD_WITHIN_S,
        )
        took_s = round(time.monotonic() - started, 1)
        if done.returncode:
            raise RuntimeError(f"rebuild failed: {done.stderr[-2000:]}")
        during, refused = calls.taken(), calls.stop()
        return {
            "seconds": took_s,
            "cpu_s": round(_cpu_of_children() - used, 1),
            "load": round(os.getloadavg()[0], 1),
            "calls_refused": refused,
            "calls_before": milliseconds(quiet),
            "calls_during": milliseconds(during),
        }

    def _changes(self, home: Home) -> Figures:
        """From the answer of a PATCH to the first call that is decided by it."""
        edge, taken = self.platform.edge(), []
        api = self.platform.api
        for n in range(self.options.rounds):
            api.patch(f"{PROVISIONING}/clients/{home.id}", {"enabled": bool(n % 2)})
            answered, wanted = time.monotonic(), "allow" if n % 2 else "disabled"
            while _reason(edge.ask(home, MOBILE), edge) != wanted:
                assert time.monotonic() - answered < 10, f"never {wanted}"
            taken.append(time.monotonic() - answered)
        return milliseconds(taken)

    def _import(self, brand: Brand) -> Figures:
        """A sheet, all or nothing: lines per second from the request to the end of its job."""
        lines = self.options.sheet
        sheet = "number,description\n" + "".join(f"+3498{n:07d},line {n}\n" for n in range(lines))
        api = self.platform.api
        started, used = time.monotonic(), self._cpu_s()
        answer = api.http.post(
            f"{PROVISIONING}/ddis/import",
            files={"file": ("numbers.csv", sheet.encode(), "text/csv")},
            data={"brand_id": brand.id},
        )
        assert answer.status_code == 202, answer.text
        place = f"{PROVISIONING}/jobs/{answer.json()['id']}"
        job = until(lambda: _ended(api.get(place)), "the import ends", 600)
        took_s = time.monotonic() - started
        assert (job["state"], job["result"]["created"]) == ("done", lines), job
        cpu = {role: round(1e6 * s / lines) for role, s in self._cpu_since(used).items()}
        busy = round(os.getloadavg()[0], 1)
        return {"lines": lines, "per_s": round(lines / took_s), "cpu_us_per_line": cpu, "load": busy}

    def _cpu_s(self) -> dict[str, float]:
        return Usage.read(self.stack.processes()).cpu_s

    def _cpu_since(self, before: dict[str, float]) -> dict[str, float]:
        """CPU seconds by role since then; of Postgres only what its present backends used."""
        return {role: max(used - before.get(role, 0.0), 0.0) for role, used in self._cpu_s().items()}

    def _queries(self, brand: Brand, home: Home) -> Figures:
        operator, resident = brand.admin("operator"), brand.admin("resident", home.id)
        page = operator.get(f"{PROVISIONING}/ddis?limit=50")
        figures: Figures = {}
        for name, who, paths in questions(operator, resident, page, self.options.clients):
            used = self._cpu_s()
            figures[name] = ask(who, paths, self.options.rounds)
            spent = sum(self._cpu_since(used).get(role, 0.0) for role in ("web", "postgres"))
            figures[name]["cpu_ms"] = round(1000 * spent / self.options.rounds, 1)
        return figures


def _cpu_of_children() -> float:
    """CPU seconds of children that have ended: what they needed, however busy the machine is."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reason(answer: Figures, edge: Any) -> str:
    if answer["decision"] == "allow":
        edge.post(f"/calls/{answer['call_id']}/ended", {"at": time.time(), "cause": "cancelled"})
        return "allow"
    return str(answer["reason"])


def _ended(job: Figures) -> Figures | None:
    return None if job["state"] in ("queued", "running") else job


class Calls:
    """Up to twenty calls a second from a thread: how long each decision took, how many were refused."""

    def __init__(self, platform: Platform, home: Home) -> None:
        self._edge, self._home = platform.edge(), home
        self._taken: list[float] = []
        self._refused, self._ending = 0, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to call."""
        self._thread.start()

    def taken(self) -> list[float]:
        """Durations since the last time."""
        taken, self._taken = self._taken, []
        return taken

    def stop(self) -> int:
        """End; how many were not allowed."""
        self._ending.set()
        self._thread.join(10)
        return self._refused

    def _run(self) -> None:
        while not self._ending.wait(0.05):
            started = time.monotonic()
            try:
                answer = self._edge.ask(self._home, MOBILE)
            except (httpx.HTTPError, AssertionError):
                answer = {"decision": "deny", "reason": "no answer"}
            self._taken.append(time.monotonic() - started)
            self._refused += _reason(answer, self._edge) != "allow"


def questions(
    operator: RestClient, resident: RestClient, page: Figures, clients: int
) -> Iterator[tuple[str, RestClient, list[str]]]:
    """(name, who asks, paths to ask in turn). Names with a star are shown but are no part of the promise."""
    row, numbers = page["items"], [r["number"] for r in page["items"]]
    deep = page["next_cursor"]
    few = clients // 4
    for name, filters in {
        "page": [""],
        "next page": [f"cursor={deep}"],
        "by number": [f"number=%2B{n[1:]}" for n in numbers],
        "several numbers": ["number__in=" + ",".join(f"%2B{n[1:]}" for n in numbers[:20])],
        "by number, sorted": ["sort=number", "sort=-number"],
        "of a client": [f"client_id={r['client_id']}" for r in row if r["client_id"]],
        "pool": ["client_id__isnull=true"],
        "in quarantine (rare)": ["state=quarantine"],
        "active (common)": ["state=active"],
        "for presentation (rare)": ["kind=out"],
        "recorded (none)": ["record=all"],
        "to a box (none)": ["target=voicemail"],
        "of a country (none)": ["country=PT"],
        "of a provider (none)": ["ddi_provider_id=019a0000-0000-7000-8000-000000000071"],
        "newest": ["sort=-created_at"],
        "made since": ["created_at__gte=2026-11-01T00:00:00Z"],
        "* number contains": ["number__contains=77777"],
        "* counted": ["count=true&limit=1"],
    }.items():
        yield (f"* ddis {name[2:]}" if name[0] == "*" else f"ddis {name}"), operator, _paths("ddis", filters)
    yield "get ddi", operator, [f"{PROVISIONING}/ddis/{r['id']}" for r in row]
    for name, filters in {
        "page": [""],
        "by name": [f"name=Many%20{n}" for n in range(1, few, max(few // 50, 1))],
        "name contains": ["name__contains=Many%20777"],
        "sorted by name": ["sort=name"],
        "prepaid (none)": ["billing_method=prepaid"],
        "disabled (none)": ["enabled=false"],
        "with faxes (none)": ["features=faxes"],
        "of a country (none)": ["country=PT"],
        "with a filter (none)": ["ip_filter=true"],
        "limited (none)": ["max_daily_usage__gte=1.00"],
    }.items():
        yield f"clients {name}", operator, _paths("clients", filters)
    of_clients = [f"client_id={r['client_id']}" for r in row if r["client_id"]]
    for name, filters in {
        "page": [""],
        "by name": [f"name=many{n}" for n in range(1, few, max(few // 50, 1))],
        "of a client": of_clients,
        "direct (none)": ["direct_connectivity=true"],
    }.items():
        yield f"devices {name}", operator, _paths("devices", filters)
    for own in ("clients", "devices", "ddis"):
        yield f"a client's own {own}", resident, _paths(own, [""])


def _paths(resource: str, filters: list[str]) -> list[str]:
    return [f"{PROVISIONING}/{resource}?{each}".rstrip("?") for each in filters]


def ask(who: RestClient, paths: list[str], rounds: int) -> Figures:
    """Ask the paths in turn; every answer must be 200."""
    taken = []
    for n in range(rounds):
        started = time.monotonic()
        answer = who.http.get(paths[n % len(paths)])
        taken.append(time.monotonic() - started)
        assert answer.status_code == 200, (paths[n % len(paths)], answer.text)
    return {**milliseconds(taken), "taken": taken}


def show(figures: Figures, console: Console) -> None:
    """The figures as people read them."""
    title = f"provisioning, {figures['clients']} clients, {figures['ddis']} DDIs, on {figures['machine']}"
    table = Table(title=title)
    for column in ("question", "p50 ms", "p95 ms", "p99 ms", "CPU ms"):
        table.add_column(column, justify="left" if column == "question" else "right")
    for name, found in {**figures["queries"], "all without a star": figures["all_queries"]}.items():
        keys = ("p50_ms", "p95_ms", "p99_ms", "cpu_ms")
        table.add_row(name, *(str(found.get(key, "")) for key in keys))
    console.print(table)
    console.print(f"lists, filters, reads: p95 {figures['all_queries']['p95_ms']} ms   (target 50)")
    console.print(f"import {figures['import']['per_s']} DDIs/s   (target 5,000), {figures['import']}")
    if "rebuild" in figures:
        console.print(f"rebuild {figures['rebuild']['seconds']} s   (target 60), {figures['rebuild']}")
    console.print(f"change to decision {figures['change_latency']}   (target 1,000 ms)")
    console.print(f"memory MB {figures['memory_mb']}")


def main() -> None:
    """Run, show, add to build/bench.json."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clients", type=int, default=100_000)
    options.add_argument("--ddis", type=int, default=1_000_000)
    options.add_argument("--sheet", type=int, default=50_000)
    options.add_argument("--rounds", type=int, default=100)
    options.add_argument("--without-rebuild", dest="rebuild", action="store_false")
    given, console = options.parse_args(), Console(width=150)
    with tempfile.TemporaryDirectory() as name, running_stack(Path(name) / "data") as stack:
        figures = Scale(stack, given, console).run()
    show(figures, console)
    console.print(keep({"provisioning": figures}))


if __name__ == "__main__":
    main()
