"""`landline explain`: a call from its admission to its posting, a refusal with its reason."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from landline.cli import output
from landline.cli.client import BILLING, CALL_CONTROL, PROVISIONING, Client, Row
from landline.cli.exits import Exit, Failed, leaving
from landline.cli.options import AsJson, Token, Url

app = typer.Typer(no_args_is_help=True, help="Why something was so: a call, a refused attempt.")


@app.command("call")
def call(
    call_id: Annotated[str, typer.Argument(help="as admissions, records and edges name it")],
    source_ip: Annotated[
        str, typer.Option(help="where the replayed decision pretends the call comes from")
    ] = "192.0.2.1",
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """A call, live or ended: who, when, numbers, holds, record, price, postings, and the decision's trace."""
    with leaving(as_json):
        client = Client(url, token)
        found = gather(client, call_id, source_ip)
        output.write_json(found) if as_json else _show_call(found)


def gather(client: Client, call_id: str, source_ip: str) -> Row:
    """All that the platform tells about a call; what one may not see, or is not there, is null."""
    live = next((c for c in client.items(f"{CALL_CONTROL}/calls") if c["call_id"] == call_id), None)
    record = client.find(f"{BILLING}/call-records/{call_id}")
    of = live or record
    if of is None:
        message = f"no call {call_id}: not live, and no record of it"
        raise Failed(Exit.REFUSED, message, {"status": 404, "code": "not_found"})
    found: Row = {"call_id": call_id, "state": "live" if live else "ended", "live": live, "record": record}
    found["client"] = client.find(f"{PROVISIONING}/clients/{of['client_id']}")
    found["device"] = _maybe(client, "devices", of.get("device_id"))
    found["ddi"] = _maybe(client, "ddis", of.get("ddi_id"))
    found["usage"] = client.find(f"{CALL_CONTROL}/clients/{of['client_id']}/usage")
    found["postings"] = (client.find(f"{BILLING}/postings", call_id=call_id) or {}).get("items", [])
    found["decision_today"] = _replayed(client, found, of, source_ip)
    return found


def _maybe(client: Client, resource: str, row_id: str | None) -> Row | None:
    return client.find(f"{PROVISIONING}/{resource}/{row_id}") if row_id else None


def _replayed(client: Client, found: Row, of: Row, source_ip: str) -> Row | None:
    """The steps of the decision, by the configuration of today: those of the day itself are not kept."""
    device, client_row = found["device"], found["client"]
    if of["direction"] != "outbound" or device is None or client_row is None:
        return None
    brand = client.find(f"{PROVISIONING}/brands/{client_row['brand_id']}")
    if brand is None:
        return None
    domain = brand["sip_domain"]
    body = {
        "direction": "outbound",
        "source_ip": source_ip,
        "auth_user": device["name"],
        "auth_realm": domain,
        "from_user": device["name"],
        "from_domain": domain,
        "request_user": of["callee"],
        "request_domain": domain,
        "duration_s": of.get("duration_s"),
    }
    try:
        return dict(client.post(f"{CALL_CONTROL}/simulate", body).json())
    except Failed as failed:
        return {"decision": None, "error": failed.message, "trace": []}


def _show_call(found: Row) -> None:
    record, live, of = found["record"], found["live"], found["live"] or found["record"]
    names = {kind: (found[kind] or {}).get(field) for kind, field in _NAMES}
    output.fields(
        f"call {found['call_id']} ({found['state']})",
        [
            ("client", names["client"] or of["client_id"]),
            ("device", names["device"] or of.get("device_id")),
            ("DDI", names["ddi"] or of.get("ddi_id")),
            *((name, of.get(name)) for name in ("direction", "caller", "callee", "billing_method")),
        ],
    )
    if live:
        times = ("state", "admitted_at", "ringing_at", "answered_at", "held", "currency", "edge_id")
        output.fields("now", ((name, live.get(name)) for name in times))
    if record:
        output.fields("record", ((name, record.get(name)) for name in _RECORD))
        output.table("tried servers", ("server", "SIP", "ms"), _attempts(record))
    if found["usage"]:
        output.fields("the client now", ((name, found["usage"].get(name)) for name in _USAGE))
    output.table(
        "postings",
        ("sequence", "kind", "amount", "balance after", "at"),
        (
            (p["sequence"], p["kind"], p["amount"], p["balance_after"], p["created_at"])
            for p in found["postings"]
        ),
    )
    _show_trace("the decision, by today's configuration", found["decision_today"])


_NAMES = (("client", "name"), ("device", "name"), ("ddi", "number"))
_RECORD = (
    "admitted_at", "started_at", "answered_at", "ended_at", "duration_s", "cause", "ended_by", "sip_code",
    "destination", "prefix", "price", "currency", "price_check", "cost", "unbilled_s", "unbilled_amount",
    "spend_by_day", "corrected", "outage", "sip_call_id",
)  # fmt: skip
_POSTING = ("sequence", "kind", "amount", "balance_after", "created_at")
_USAGE = ("active_calls", "day", "day_spend", "day_held", "max_daily_usage", "available", "held", "unposted")


def _attempts(record: Row) -> list[tuple[Any, ...]]:
    return [(a.get("server_id"), a.get("sip_code"), a.get("ms")) for a in record.get("attempts") or ()]


def _show_trace(title: str, decision: Row | None) -> None:
    if decision is None:
        return
    denial = decision.get("denial") or {}
    said = decision.get("error") or f"{decision.get('decision')} {denial.get('reason', '')}".strip()
    output.table(f"{title}: {said}", ("step", "outcome", "detail"), _steps(decision.get("trace") or []))


def _steps(trace: list[Row]) -> list[tuple[Any, ...]]:
    return [(line.get("step"), line.get("outcome"), line.get("detail")) for line in trace]


@app.command("attempt")
def attempt(
    attempt_id: Annotated[str, typer.Argument(help="the edge's id of the attempt, or a rejection's own id")],
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """A refused attempt: the rule that refused it, limit and value, every step before, and the remedy."""
    with leaving(as_json):
        client = Client(url, token)
        row = client.find(f"{CALL_CONTROL}/rejections/{attempt_id}")
        if row is None:
            listed = client.find(f"{CALL_CONTROL}/rejections", attempt_id=attempt_id) or {"items": []}
            row = next(iter(listed["items"]), None)
        if row is None:
            message = f"no refused attempt {attempt_id}: it was not refused, or is too old to be kept"
            raise Failed(Exit.REFUSED, message, {"status": 404, "code": "not_found"})
        output.write_json(row) if as_json else _show_rejection(row)


def _show_rejection(row: Row) -> None:
    names = ("created_at", "reason", "sip_code", "rule", "limit", "value", "detail", "remedy", "direction",
             "source_ip", "caller", "callee", "attempt_id")  # fmt: skip
    output.fields(f"refused: {row['reason']}", ((name, row.get(name)) for name in names))
    output.table("every step", ("step", "outcome", "detail"), _steps(row.get("trace") or []))
