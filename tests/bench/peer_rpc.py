"""Another engine over the same network, for comparison: CGRateS by JSON-RPC over HTTP.

`PEER_RPC=http://127.0.0.1:2080/jsonrpc make bench`; skipped when unset. `python -m tests.bench.cgrates`
builds and starts one with what is asked for here: accounts 100000 to 109999, of which each session takes one
at random. For another, PEER_ACCOUNT, PEER_DESTINATION and PEER_TENANT must be able to call.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

METHODS = ("AuthorizeEvent", "InitiateSession", "TerminateSession", "ProcessCDR")
_WANTS: dict[str, dict[str, Any]] = {
    "AuthorizeEvent": {"GetMaxUsage": True},
    "InitiateSession": {"InitSession": True},
    "TerminateSession": {"TerminateSession": True},
    "ProcessCDR": {},
}


def body(method: str) -> str:
    """One request; `%ID%` and `%SOME%` are for the generator, which gives each session its own."""
    account = os.environ.get("PEER_ACCOUNT", "10%SOME%")
    event = {
        "ToR": "*voice",
        "OriginID": "%ID%",
        "OriginHost": "landline-bench",
        "RequestType": "*prepaid",
        "Category": "call",
        "Account": account,
        "Subject": account,
        "Destination": os.environ.get("PEER_DESTINATION", "34600123123"),
        "SetupTime": "*now",
        "AnswerTime": "*now",
        "Usage": "60s",
    }
    tenant = os.environ.get("PEER_TENANT", "cgrates.org")
    params = {**_WANTS[method], "Tenant": tenant, "ID": "%ID%", "Event": event}
    return json.dumps({"method": f"SessionSv1.{method}", "params": [params], "id": 1})


def measure(run: Callable[[dict[str, Any]], dict[str, Any]], folder: Path, seconds: float) -> dict[str, Any]:
    """An authorization alone, beside an admission; a session; a session with its CDR, beside a whole call.

    64 in flight, by the same generator (`run` takes its spec). {} when no peer is named.

    `refusals` counts answers that carry an error: a refusal is fast, and would compare badly.
    """
    address = os.environ.get("PEER_RPC")
    if not address:
        return {}
    parts = urlsplit(address)
    found = {}
    for name, methods in (("authorize", METHODS[:1]), ("session", METHODS[:3]), ("session and CDR", METHODS)):
        bodies = folder / f"peer-{len(methods)}.jsonl"
        bodies.write_text("\n".join(body(method) for method in methods))
        found[name] = run(
            {
                "host": parts.hostname, "ports": [parts.port or 80], "path": parts.path or "/", "key": "-",
                "bodies": str(bodies), "seconds": seconds, "in_flight": 64, "chain": True,
                "good": '"error":null',
            }
        )  # fmt: skip
    return found
