"""What `make run` prints once everything is ready."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SERVICES = ("provisioning", "call-control", "billing", "notifier")


def show(url: str, data: Path, summary: dict[str, Any] | None, *, admin_password: str | None) -> None:
    """Where to look, who can log in, one call to admit; the admin password only if it was just generated."""
    text = "\n".join(lines(url, data, summary, admin_password))
    sys.stdout.write(f"\n{text}\n\n")
    sys.stdout.flush()


def lines(url: str, data: Path, summary: dict[str, Any] | None, admin_password: str | None) -> Iterable[str]:
    """The banner, line by line."""
    yield f"Landline is ready at {url}   (data: {data}; Ctrl-C stops it)"
    yield ""
    for name in SERVICES:
        yield f"  {name:<13} {url}/api/{name}/v1/docs"
    yield f"  {'mails':<13} {url}/dev/mails"
    yield f"  {'state':<13} {url}/readyz   metrics {url}/metrics"
    if admin_password:
        yield ""
        yield f"  first admin: admin / {admin_password}   (generated; shown this once)"
    if summary:
        yield from _demo(summary)


def _demo(summary: dict[str, Any]) -> Iterable[str]:
    logins = summary.get("logins") or []
    if logins:
        yield ""
        yield "  demo logins"
        for login in logins:
            username, password = login.get("username", ""), login.get("password", "")
            yield f"    {login.get('level', ''):<10} {username:<20} {password}"
    if curl := summary.get("curl"):
        yield ""
        yield "  admit a call:"
        yield ""
        for line in str(curl).splitlines():
            yield f"    {line}"
