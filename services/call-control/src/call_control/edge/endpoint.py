"""A bare ASGI endpoint: what FastAPI does per request costs more than the decision (platform-notes 0)."""

from __future__ import annotations

from typing import Any, Final

from landline.chassis.problems import MEDIA_TYPE, Problem, Unavailable, render
from starlette.types import Receive, Scope, Send

from call_control.adapters.model_rows import OUTAGE

NO_CONTENT: Final[dict[str, Any]] = {"type": "http.response.start", "status": 204, "headers": []}


class Endpoint:
    """Base of the edge's routes: runs `handle`, answers its problems, turns an outage of Redis into a 503."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await self.handle(scope, receive, send)
        except Problem as problem:
            await render(problem)(scope, receive, send)
        except OUTAGE as error:
            detail = f"counters can't be reached: {type(error).__name__}"
            away = Unavailable(detail, code="counters_unavailable")
            await render(away)(scope, receive, send)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        raise NotImplementedError


async def json_answer(send: Send, body: bytes) -> None:
    """200 with a JSON body."""
    length = b"%d" % len(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


__all__ = ["MEDIA_TYPE", "NO_CONTENT", "OUTAGE", "Endpoint", "json_answer"]
