"""Whether the asking client's people may see prices (domain section 2, show_billing_details)."""

from __future__ import annotations

from contextvars import ContextVar

from fastapi import Request
from landline.chassis.auth import Caller, Principal

from call_control.api.services import services_of

_HIDDEN: ContextVar[bool] = ContextVar("prices_hidden", default=False)


async def find_out(request: Request, caller: Caller) -> None:
    """FastAPI dependency of a router some of whose answers hold money: asks for the caller's client."""
    _HIDDEN.set(await prices_hidden(request, caller))


async def prices_hidden(request: Request, caller: Principal) -> bool:
    """Operators see every price; a client's people, if the operator shows them."""
    if caller.level != "client":
        return False
    client = await services_of(request).facts.find_client(str(caller.client_id))
    return client is None or not client.show_billing_details


def hidden_here() -> bool:
    """What `find_out` found out for this request."""
    return _HIDDEN.get()
