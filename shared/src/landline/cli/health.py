"""What the doctor looks at, by HTTP: reachability, readiness, clocks, and what the metrics tell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from pathlib import Path
from typing import Literal

import httpx
from prometheus_client.parser import text_string_to_metric_families

from landline.cli import profile
from landline.cli.client import PROVISIONING, SERVICES, Client
from landline.cli.exits import Failed
from landline.cli.findings import Finding

__all__ = ["Finding", "Worst", "look", "worst"]

MOST_APART_S = 2.0
SLOW_S = 1.0
MOST_BEHIND = 1_000
TIMEOUT = httpx.Timeout(10.0, connect=5.0)
OWN_METRICS = ("/metrics", "/metrics/work")


class Worst(Enum):
    """The whole in one word."""

    OK = "ok"
    WRONG = "wrong"
    UNREACHABLE = "unreachable"


def worst(findings: list[Finding]) -> Worst:
    """Unreachable when no service answers at all, wrong when any check says so."""
    reached = [f for f in findings if f.check.startswith("reach ")]
    if reached and all(f.state == "wrong" for f in reached):
        return Worst.UNREACHABLE
    return Worst.WRONG if any(f.state == "wrong" for f in findings) else Worst.OK


def look(
    url: str | None, token: str | None, metrics: list[str], *, deep: bool, data: Path | None
) -> list[Finding]:
    """Every check, in the order in which a cause comes before what follows from it."""
    address = (url or profile.load().url).rstrip("/")
    with httpx.Client(base_url=address, timeout=TIMEOUT) as http:
        found = [_reach(http, name, base) for name, base in SERVICES.items()]
        if all(f.state == "wrong" for f in found):
            return found
        found += [*_ready(http), _clock(http), _login(url, token)]
        found += _metrics(http, metrics)
    return [*found, *(_stores(data) if deep else ())]


def _stores(data: Path | None) -> list[Finding]:
    from landline.cli import deep  # the drivers of the stores take half a second to import: only when asked

    return deep.look(data)


def _reach(http: httpx.Client, name: str, base: str) -> Finding:
    started = time.monotonic()
    try:
        answer = http.get(f"{base}/docs")
    except httpx.HTTPError as error:
        remedy = "is it running, and is the address right? see its log"
        return Finding("wrong", f"reach {name}", f"{http.base_url}: {error or type(error).__name__}", remedy)
    took_s = time.monotonic() - started
    if answer.status_code != 200:
        remedy = "is this Landline's address? behind a proxy, is this service routed?"
        return Finding("wrong", f"reach {name}", f"answers {answer.status_code}", remedy)
    state: Literal["ok", "warning"] = "ok" if took_s < SLOW_S else "warning"
    return Finding(
        state, f"reach {name}", f"{took_s * 1000:.0f} ms", "" if state == "ok" else "the machine is busy"
    )


_REMEDIES = {
    "postgres": "is PostgreSQL running, and LANDLINE_PG_URL right? see docs/runbooks",
    "redis": "is Redis running, and LANDLINE_REDIS_URL right? see docs/runbooks",
    "durability": "set it in redis.conf: admissions stop rather than lose what they promised",
    "read_model": "it is built once provisioning and billing answer; by hand: call-control rebuild",
    "sessions": "Redis was away; it comes back by itself within a second of Redis",
    "changes": "Redis was away; it comes back by itself within a second of Redis",
    "geoip": "LANDLINE_GEOIP_DB names no readable .mmdb: mend the file, or leave it empty",
    "ticket_key": "set LANDLINE_TICKET_KEY, the same for every call-control process",
    "work": "the work process (consumers, jobs) is down: see DATA/logs",
}


def _ready(http: httpx.Client) -> Iterator[Finding]:
    """Component by component, where the readiness page is served at this address."""
    try:
        components = http.get("/readyz").json()["components"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        yield Finding("note", "readiness", "no /readyz at this address", "ask each process at its own port")
        return
    missing = {name: what for name, what in components.items() if what is not None}
    if not missing:
        yield Finding("ok", "readiness", f"all {len(components)} components", "")
    for name, what in missing.items():
        yield Finding(
            "wrong", f"ready {name}", str(what), _REMEDIES.get(name.rpartition(".")[2], "see its log")
        )


def _clock(http: httpx.Client) -> Finding:
    """Prices and local days hang on the platform's clock; people notice by their own."""
    try:
        answer = http.get(f"{PROVISIONING}/docs")
        theirs = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (httpx.HTTPError, KeyError, ValueError):
        return Finding("note", "clock", "the platform tells no time", "")
    apart_s = abs(time.time() - answer.elapsed.total_seconds() / 2 - theirs)
    if apart_s > MOST_APART_S:
        remedy = "which one is wrong? run an NTP client on both"
        return Finding("wrong", "clock", f"{apart_s:.0f} s apart from this machine's", remedy)
    return Finding("ok", "clock", f"within {MOST_APART_S:.0f} s of this machine's", "")


def _login(url: str | None, token: str | None) -> Finding:
    try:
        me = Client(url, token).get(f"{PROVISIONING}/auth/me")
    except Failed as failed:
        return Finding("note", "login", failed.message, "not needed for these checks")
    return Finding("ok", "login", f"{me['username']} ({me['level']})", "")


def _metrics(http: httpx.Client, given: list[str]) -> Iterator[Finding]:
    """Lag, dead letters, waiting consumers and drift, of all processes whose metrics can be read."""
    highest: dict[tuple[str, str], float] = {}
    pages = 0
    for address in given or OWN_METRICS:
        text = _page(http, address)
        if text is None:
            state: Literal["wrong", "note"] = "wrong" if given else "note"
            remedy = "metrics are not public: run this on the machine, or give --metrics"
            yield Finding(state, "metrics", f"{address} cannot be read", remedy)
            continue
        pages += 1
        for key, value in _samples(text):
            highest[key] = max(highest.get(key, 0), value)  # several processes may tell of one group
    if pages:
        yield from _judged(highest)


def _page(http: httpx.Client, address: str) -> str | None:
    try:
        answer = http.get(address)
    except httpx.HTTPError:
        return None
    return answer.text if answer.status_code == 200 else None


def _samples(text: str) -> Iterator[tuple[tuple[str, str], float]]:
    for family in text_string_to_metric_families(text):
        if family.name.startswith("landline_"):
            for sample in family.samples:
                labels = [v for k, v in sorted(sample.labels.items()) if k in ("group", "stream", "kind")]
                yield (sample.name, " of ".join(reversed(labels))), sample.value


@dataclass(frozen=True)
class _Rule:
    metric: str
    check: str
    most: float
    fine: str
    found: str
    remedy: str


_RULES = (
    _Rule("landline_stream_lag_entries", "streams", MOST_BEHIND, "all consumers keep up", "entries behind",
          "is the consumer running? `<service> consume`; see its log"),
    _Rule("landline_stream_dead_letters_waiting", "dead letters", 0, "none", "entries given up",
          "landline doctor --deep tells the reasons; mend the cause, then replay (docs/runbooks)"),
    _Rule("landline_stream_consumer_not_ready", "consumers", 0, "none waits for a store", "waits for a store",
          "see the store's check"),
    _Rule("landline_drift", "drift", 0, "counters agree with calls and ledger", "counters differ",
          "call-control reconcile names them, with --repair puts them right"),
)  # fmt: skip


def _judged(figures: dict[tuple[str, str], float]) -> Iterator[Finding]:
    for rule in _RULES:
        known = {which: value for (name, which), value in figures.items() if name == rule.metric}
        bad = {which: value for which, value in known.items() if value > rule.most}
        if not known:
            yield Finding("note", rule.check, "no figures yet", "")
        elif not bad:
            yield Finding("ok", rule.check, rule.fine, "")
        for which, value in bad.items():
            yield Finding("wrong", f"{rule.check} {which}", f"{value:.0f} {rule.found}", rule.remedy)
