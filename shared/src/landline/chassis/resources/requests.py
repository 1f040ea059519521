"""What a route takes from its request: who acts, the database, decent texts; and a POST done once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from landline.chassis.auth import Caller, Principal
from landline.chassis.idempotency import Answer, once, request_key
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import FieldError, InvalidInput
from landline.chassis.request_headers import LONGEST_REASON
from landline.chassis.resources.declaration import Action, Actor, Resource
from landline.chassis.resources.wire import unstorable
from landline.chassis.settings import Settings

Effect = Callable[[AsyncConnection, Actor], Awaitable[Answer]]


def actor_of(request: Request, principal: Principal) -> Actor:
    """Who writes, as the audit log keeps it. InvalidInput when X-Reason is no decent text."""
    settings: Settings = request.app.state.settings
    return Actor(
        principal,
        settings,
        settings.clock.now_ms(),
        request_id=str(getattr(request.state, "request_id", "")),
        address=request.client.host if request.client else None,
        reason=reason_of(request),
    )


def reason_of(request: Request) -> str | None:
    """X-Reason, for the audit entry. InvalidInput when it is no decent text."""
    reason = request.headers.get("x-reason")
    if reason is not None and (len(reason) > LONGEST_REASON or not reason.isprintable()):
        raise InvalidInput(
            [FieldError("X-Reason", "text_form", f"printable, at most {LONGEST_REASON} characters")]
        )
    return reason


def allowed(resource: Resource, action: Action) -> Any:
    """A dependency: who asks, if they may do this at all. It is asked before the body is looked at.

    Also for routes beside the kit's: `caller: Annotated[Principal, allowed(DDIS, "u")]`.
    """

    async def check(caller: Caller) -> Principal:
        resource.require(caller, action)
        return caller

    return Depends(check)


def database(request: Request) -> Database:
    """The service's database."""
    db: Database = request.app.state.db
    return db


def check_texts(body: Any) -> None:
    """InvalidInput names every text that Postgres could not keep."""
    if errors := unstorable(body):
        raise InvalidInput(errors)


async def post_once(
    request: Request, caller: Principal, effect: Effect, *, content: bytes | None = None
) -> Response:
    """Answer a POST in one transaction of the caller's scope, once by its Idempotency-Key.

    `content` stands for the body where that differs each time it is sent (`idempotency.request_key`).
    """
    key, actor = await request_key(request, caller, content), actor_of(request, caller)
    async with database(request).transaction(Scope.of(caller)) as tx:
        answer = await once(tx, key, lambda: effect(tx, actor))
    return answer.response()
