"""The words of a mail that sets a new password."""

from __future__ import annotations

from notifier.domain.contents import Contents, Level, choose
from notifier.domain.kinds import Variables
from notifier.domain.render import Rendered, render

PLATFORM_NAME = "Landline"


def link(public_url: str, token: str) -> str:
    """Where it is set. The token stands behind the `#`: browsers send that part to no server's log."""
    return f"{public_url.rstrip('/')}/reset-password#token={token}"


def words(
    builtin: Contents,
    language: str | None,
    *,
    brand_name: str | None,
    username: str,
    name: str,
    address_of_token: str,
    token: str,
    minutes: int,
    origin: str | None,
) -> Rendered:
    """The mail. Only our own words: a tenant's template must never get at the token."""
    variables: Variables = {
        "username": username,
        "name": name,
        "brand_name": brand_name or PLATFORM_NAME,
        "link": address_of_token,
        "token": token,
        "minutes": minutes,
        "origin": origin or "",
    }
    return render(choose([Level("built-in", builtin)], language or "en"), variables)
