"""`GET calls/events`: live calls as server-sent events, in the token's scope, resumable by Last-Event-ID."""

from __future__ import annotations

import asyncio
import contextlib
from time import monotonic
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from landline.chassis.auth import Caller, Principal, TokenVerifier
from landline.chassis.problems import FieldError, InvalidInput, NotFound, Problem, Unavailable, responses
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from call_control.api.scope import of_client
from call_control.api.services import Services, services_of
from call_control.app.live_feed import LiveFeed, TooManyWatchers, Watcher
from call_control.domain.live_event import NotAPosition, Position, Scope

HEARTBEAT_S: Final = 15.0
"""Comments keep proxies from closing a quiet stream; at each the token is looked at again."""
SEND_WITHIN_S: Final = 30.0
_HEARTBEAT: Final = b": alive\n\n"
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "one event: `data` is JSON; send the last `id` back as Last-Event-ID to go on from there",
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
}
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": _EVENT}}}}
router = APIRouter(tags=["live calls"])


@router.get(
    "/calls/events",
    summary="Watch live calls",
    response_class=Response,
    responses={**_STREAM, **responses(401, 403, 404, 422, 503)},
)
async def events(
    request: Request,
    caller: Caller,
    brand_id: Annotated[str | None, Query(max_length=64)] = None,
    client_id: Annotated[str | None, Query(max_length=64)] = None,
    last_event_id: Annotated[str | None, Header(max_length=80)] = None,
) -> Response:
    """What happens to calls in the token's scope, as it happens.

    Events: `hello`, `call.admitted`, `call.ringing`, `call.answered`, `call.ended`, `call.corrected`,
    `call.rejected`, `daily_usage.crossed`. An event may come twice after a resumption: `event_id` tells.
    The stream ends after `dropped` (its reader was too slow), `unauthorized` (the token has ended) or `bye`
    (the server stops): connect again with `Last-Event-ID`. After `reset` too much was missed: ask for
    `GET calls` anew. Clients see neither money nor callers who withhold.
    """
    caller.require("calls", "r")
    services = services_of(request)
    scope, partitions = await _scope(services, caller, brand_id, client_id)
    since = _position(last_event_id)
    try:
        watcher = await services.feed.watch(scope, partitions, since)
    except TooManyWatchers:
        raise Unavailable("too many streams are open on this server", code="too_many_watchers") from None
    verifier: TokenVerifier = request.app.state.verifier
    token = request.headers.get("authorization", "").partition(" ")[2].strip()
    return EventStream(services.feed, watcher, verifier, token)


async def _scope(
    services: Services, caller: Principal, brand_id: str | None, client_id: str | None
) -> tuple[Scope, list[int]]:
    """The token's scope, narrowed as asked. NotFound for what lies outside it."""
    directory = await services.facts.directory()
    brand_id, client_id = brand_id or caller.brand_id, client_id or caller.client_id
    if caller.brand_id not in (None, brand_id) or caller.client_id not in (None, client_id):
        raise NotFound("no such calls")
    if client_id is not None:
        client, partition = await of_client(services, caller, client_id)
        if brand_id not in (None, client.brand_id):
            raise NotFound("no such client")
        return Scope(client.brand_id, client_id, caller.level == "client"), [partition]
    if brand_id is None:
        found = sorted({int(row["partition"]) for row in directory.brands.values()} | {0})
        return Scope(), found
    if brand_id not in directory.brands:
        raise NotFound("no such brand")
    return Scope(brand_id), [int(directory.brands[brand_id]["partition"])]


def _position(text: str | None) -> Position | None:
    try:
        return Position.parse(text) if text else None
    except NotAPosition:
        message = "an id that this stream gave"
        raise InvalidInput([FieldError("Last-Event-ID", "invalid_position", message)]) from None


class EventStream(Response):
    """Sends a watcher's chunks until it leaves, is dropped, or its token ends."""

    def __init__(self, feed: LiveFeed, watcher: Watcher, verifier: TokenVerifier, token: str) -> None:
        super().__init__(media_type="text/event-stream")
        self._feed = feed
        self._watcher = watcher
        self._verifier = verifier
        self._token = token

    async def __call__(self, _scope: AsgiScope, receive: Receive, send: Send) -> None:
        """ASGI."""
        gone = asyncio.create_task(self._until_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
            await self._send_all(send)
        except (OSError, TimeoutError):
            pass  # the reader is gone, or so slow that it need not be waited for
        finally:
            self._feed.leave(self._watcher)
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone

    async def _send_all(self, send: Send) -> None:
        async def give(body: bytes, more: bool = True) -> None:
            message: dict[str, Any] = {"type": "http.response.body", "body": body, "more_body": more}
            async with asyncio.timeout(SEND_WITHIN_S):
                await send(message)

        watcher, next_beat = self._watcher, monotonic() + HEARTBEAT_S
        await give(b"retry: 3000\n\n")
        while True:
            over = watcher.over
            chunk = await watcher.take(max(0.0, next_beat - monotonic()))
            if chunk:
                await give(chunk)
            elif over:
                break
            if monotonic() >= next_beat:
                next_beat = monotonic() + HEARTBEAT_S
                await self._look_at_token()
                await give(_HEARTBEAT)
        await give(b"", more=False)

    async def _look_at_token(self) -> None:
        try:
            await self._verifier.verify(self._token)
        except Problem as problem:
            self._watcher.end("unauthorized", problem.code)

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._watcher.close()
