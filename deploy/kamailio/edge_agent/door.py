"""The agent's door: JSON-RPC 2.0 for call-control, XML-RPC for rtpengine's notice of dead media."""

from __future__ import annotations

import logging
import xmlrpc.client
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from edge_agent.commands import Commands
from edge_agent.kamailio import CommandRefused, KamailioAway

MOST_BYTES = 65_536
log = logging.getLogger("edge_agent.door")


def door(commands: Commands, allow: tuple[IPv4Network | IPv6Network, ...], silent_s: float) -> Starlette:
    """`POST /` JSON-RPC: landline.hang_up [call_id, cause], landline.extend [call_id, max_duration_s],
    landline.drop_credentials [user, domain], landline.lift_ban [address], landline.reload []. Only addresses
    of `allow` are heard.    `silent_s`: after which silence rtpengine gives notice."""
    methods: dict[str, tuple[Callable[..., Awaitable[object]], tuple[type, ...]]] = {
        "landline.hang_up": (commands.hang_up, (str, str)),
        "landline.extend": (commands.extend, (str, int)),
        "landline.drop_credentials": (commands.drop_credentials, (str, str)),
        "landline.lift_ban": (commands.lift_ban, (str,)),
        "landline.reload": (commands.reload, ()),
    }

    def heard(request: Request) -> bool:
        caller = ip_address(request.client.host) if request.client else None
        return caller is not None and any(caller in net for net in allow if net.version == caller.version)

    async def rpc(request: Request) -> Response:
        if not heard(request):
            return PlainTextResponse("not from there\n", 403)
        try:
            asked = await request.json()
            method, params = methods[asked["method"]], list(asked.get("params", ()))
        except (ValueError, KeyError, TypeError):
            return JSONResponse(_error(None, -32601, "no such method"))
        call, kinds = method
        if len(params) != len(kinds) or not all(map(isinstance, params, kinds)):
            return JSONResponse(_error(asked.get("id"), -32602, "params do not fit"))
        try:
            done = await call(*params)
        except (KamailioAway, CommandRefused) as error:
            return JSONResponse(_error(asked.get("id"), -32000, str(error)))
        result = "ok" if done else "nothing to do"
        return JSONResponse({"jsonrpc": "2.0", "id": asked.get("id"), "result": result})

    async def dead_media(request: Request) -> Response:
        """rtpengine --b2b-url --xmlrpc-format=2: dlg.terminate_dlg [Call-ID, from-tag, to-tag]."""
        if not heard(request):
            return PlainTextResponse("not from there\n", 403)
        try:
            params, _ = xmlrpc.client.loads((await request.body())[:MOST_BYTES].decode())
            call_id, from_tag, to_tag = (str(each) for each in (*params, "", "")[:3])
            await commands.end_dead_media(call_id, from_tag, to_tag, silent_s)
        except (KamailioAway, CommandRefused) as error:
            log.warning("dead media: %s", error)
        except Exception as error:
            log.warning("notice that can't be read: %r", error)
            return PlainTextResponse("not understood\n", 400)
        return Response(xmlrpc.client.dumps((1,), methodresponse=True), media_type="text/xml")

    async def health(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    routes = [
        Route("/", rpc, methods=["POST"]),
        Route("/media-timeout", dead_media, methods=["POST"]),
        Route("/healthz", health),
    ]
    return Starlette(routes=routes)


def _error(request_id: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}
