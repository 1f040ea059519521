"""HEAD and Allow as RFC 9110 asks for them; FastAPI leaves the one out and tells half of the other."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def head_as_get(scope: Scope, send: Send) -> tuple[Scope, Receive, Send]:
    """The GET of a HEAD request: its status and headers are sent, its content is not (section 9.3.2).

    An endless answer (server-sent events, a long CSV) is told that its reader left as soon as it began.
    """
    told, asked = asyncio.Event(), False

    async def listen() -> Message:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await told.wait()
        return {"type": "http.disconnect"}

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            told.set()

    return {**scope, "method": "GET"}, listen, answer


def allowed_methods(request: Request) -> str:
    """What an address takes, for the Allow header of a 405 (section 15.5.6)."""
    found = [
        method
        for method in _METHODS
        if any(r.matches({**request.scope, "method": method})[0] is Match.FULL for r in request.app.routes)
    ]
    return ", ".join(["GET", "HEAD", *found[1:]] if found[:1] == ["GET"] else found)
