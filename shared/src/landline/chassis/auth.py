"""Who asks, as FastAPI dependencies: `Caller`, `right(...)`, `only_system`.

Who somebody is: `chassis.principal`. How a token tells it: `chassis.token_verifier`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from landline.chassis.api_keys import key_parts
from landline.chassis.principal import SYSTEM, Level, Principal
from landline.chassis.problems import Forbidden, Unauthorized
from landline.chassis.token_verifier import TokenVerifier

_bearer = HTTPBearer(auto_error=False, description="an access token of POST /auth/login, or an API key")


async def current_principal(
    request: Request, _documented: Annotated[Any, Depends(_bearer)] = None
) -> Principal:
    """FastAPI dependency: who asks. Needs `app.state.verifier`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized()
    verifier: TokenVerifier = request.app.state.verifier
    return await verifier.verify(token.strip())


Caller = Annotated[Principal, Depends(current_principal)]
"""Parameter type of a route that needs a token: `async def route(caller: Caller)`."""


def right(resource: str, action: Literal["c", "r", "u", "d"]) -> Callable[[Caller], Awaitable[Principal]]:
    """FastAPI dependency: who asks, if it has this right. It is asked before the body is looked at.

    For routes beside the resource kit: `caller: Annotated[Principal, Depends(right("calls", "r"))]`.
    """

    async def check(caller: Caller) -> Principal:
        caller.require(resource, action)
        return caller

    return check


async def only_system(caller: Caller) -> Principal:
    """FastAPI dependency: service to service only; Forbidden for everybody else."""
    if caller.level != "system":
        raise Forbidden("for services of the platform only")
    return caller


__all__ = [
    "SYSTEM",
    "Caller",
    "Level",
    "Principal",
    "TokenVerifier",
    "current_principal",
    "key_parts",
    "only_system",
    "right",
]
