"""The edge API's addresses, and their place in OpenAPI: bare endpoints are documented all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI
from landline.chassis import openapi_document
from landline.chassis.direct import DirectApp
from msgspec import Meta
from starlette.routing import Route

from call_control.app.answers import Allow, AllowInbound, AllowOnward, Deny
from call_control.app.edge_files import Fallback, Peers
from call_control.app.serve_code import ServiceAnswer
from call_control.domain.admission.case import FaxTarget, Target, VoicemailTarget
from call_control.domain.admission.request import CallRequest
from call_control.edge.accounts import AccountsAnswer, Holding
from call_control.edge.calls import Answered, Ended, Failed, Ringing
from call_control.edge.endpoint import Endpoint
from call_control.edge.lists import Heartbeat, HeartbeatAnswer, Resync, ResyncAnswer
from call_control.edge.operation_texts import OPERATIONS, PARAMETERS
from call_control.edge.registering import (
    AuthFailure,
    AuthFailureAnswer,
    CredentialsAnswer,
    Registering,
    RegistrationAnswer,
)

BASE = "/api/call-control/v1"
_REF = "#/components/schemas/{name}"
TicketText = Annotated[
    str,
    Meta(
        description="The call, sealed by us: send it with its end and in a resync, unchanged. At "
        "most 2048 characters."
    ),
]
OuterBound = Annotated[
    int,
    Meta(
        description="Seconds of conversation after which the edge itself must end the call: the "
        "least of cap, balance and day's room. A heartbeat's `extend` may raise it."
    ),
]


class AllowAnswer(Allow, frozen=True, kw_only=True):
    """An allow as it goes out."""

    ticket: TicketText
    max_duration_s: OuterBound


class AllowInboundAnswer(AllowInbound, frozen=True, kw_only=True):
    """An allow of a call from outside as it goes out."""

    ticket: TicketText
    max_duration_s: OuterBound


class AllowOnwardAnswer(AllowOnward, frozen=True, kw_only=True):
    """An allow of several calls in one SIP dialog as it goes out; `ticket` is the first one's."""

    ticket: TicketText
    max_duration_s: OuterBound


class ServiceAnswered(ServiceAnswer, frozen=True, kw_only=True):
    """A service code was served: the caller is sent to `uri`, which tells it."""


class ChallengeAnswer(msgspec.Struct, frozen=True):
    """A digest is needed first."""

    decision: Annotated[
        str,
        Meta(
            description="Always `challenge`: answer 407 (Proxy-Authenticate), and ask again with the digest."
        ),
    ] = "challenge"


class NoopAnswer(msgspec.Struct, frozen=True):
    """As long as an allow, and decided by nobody."""

    decision: Annotated[str, Meta(description="Always `allow`; nothing was admitted.")]
    padding: Annotated[str, Meta(description="As long as to make a typical answer of 700 bytes.")]


@dataclass(frozen=True, slots=True)
class EdgeRoutes:
    """One endpoint per address."""

    calls: Endpoint
    noop: Endpoint
    ringing: Endpoint
    answered: Endpoint
    ended: Endpoint
    failed: Endpoint
    heartbeat: Endpoint
    resync: Endpoint
    credentials: Endpoint
    registrations: Endpoint
    auth_failures: Endpoint
    accounts: Endpoint
    peers: Endpoint
    fallback: Endpoint


_ALLOWED = (AllowAnswer, AllowInboundAnswer, AllowOnwardAnswer, ServiceAnswered, Deny, ChallengeAnswer)
_ADDRESSES: tuple[tuple[str, str, str, type | None, tuple[type, ...]], ...] = (
    ("calls", "/calls", "Admit a call", CallRequest, _ALLOWED),
    ("ringing", "/calls/{call_id}/ringing", "The called side rings", Ringing, ()),
    ("answered", "/calls/{call_id}/answered", "Conversation begins", Answered, ()),
    ("ended", "/calls/{call_id}/ended", "The call is over", Ended, ()),
    ("failed", "/calls/{call_id}/failed", "A target did not take the call", Failed, _ALLOWED),
    ("heartbeat", "/edges/heartbeat", "A page of an edge's live calls", Heartbeat, (HeartbeatAnswer,)),
    ("resync", "/edges/resync", "Tickets of calls we do not know", Resync, (ResyncAnswer,)),
    ("registrations", "/registrations", "A device registers", Registering, (RegistrationAnswer,)),
    ("auth_failures", "/auth-failures", "A wrong password", AuthFailure, (AuthFailureAnswer,)),
    (
        "accounts",
        "/edges/provider-registrations",
        "Accounts to register at DDI providers, and how it goes",
        Holding,
        (AccountsAnswer,),
    ),
    ("credentials", "/credentials", "Digest credentials of a device", None, (CredentialsAnswer,)),
    ("peers", "/edges/peers", "Whose calls need no digest", None, (Peers,)),
    ("fallback", "/edges/fallback", "Emergency calls while we are away", None, (Fallback,)),
    ("noop", "/noop", "For the bench: what no admission can be faster than", None, (NoopAnswer,)),
)


_READ = {"credentials": ("user", "domain"), "peers": (), "fallback": ()}
"""Those that are read (GET), with their parameters."""


class Deferred(Endpoint):
    """An address whose endpoint is made when the app starts: its Redis is opened then."""

    def __init__(self, app: FastAPI, name: str) -> None:
        self._app = app
        self._name = name
        self._endpoint: Endpoint | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        if self._endpoint is None:
            self._endpoint = getattr(self._app.state.edge_routes, self._name)
        await self._endpoint(scope, receive, send)


def mount(app: DirectApp, *bodies: type) -> None:
    """Put the edge's addresses in front of the app, and into OpenAPI, with other `bodies` that routes name.

    Needs `app.state.edge_routes`.
    """
    for name, path, *_ in _ADDRESSES:
        app.add_direct("call-control", BASE + path, Deferred(app, name), "GET" if name in _READ else "POST")
    # The bench compares with both: the direct no-op, and the same one as any other route of the app.
    app.router.routes.append(Route(f"{BASE}/noop/routed", Deferred(app, "noop"), methods=["POST"]))
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        known = app.openapi_schema is not None
        schema = plain()
        if not known:
            _describe(schema, bodies)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe(schema: dict[str, Any], bodies: tuple[type, ...]) -> None:
    kinds = {kind for *_, asked, answers in _ADDRESSES for kind in (asked, *answers) if kind is not None}
    kinds |= set(bodies)
    _, parts = msgspec.json.schema_components(sorted(kinds, key=lambda k: k.__name__), ref_template=_REF)
    _describe_tags(parts)
    schema.setdefault("components", {}).setdefault("schemas", {}).update(parts)
    schema["components"].setdefault("securitySchemes", {}).update(
        edge_key={"type": "http", "scheme": "bearer"}, edge_basic={"type": "http", "scheme": "basic"}
    )
    for name, path, summary, asked, answers in _ADDRESSES:
        operation: dict[str, Any] = {"operationId": f"edge_{name}", "description": OPERATIONS[name]}
        operation |= _operation(path, summary, asked, answers)
        if name in _READ:
            operation["parameters"] = [_parameter(each, "query") for each in _READ[name]]
        method = "get" if name in _READ else "post"
        schema["paths"].setdefault(BASE + path, {})[method] = operation
    openapi_document.complete(schema)


def _describe_tags(parts: dict[str, Any]) -> None:
    """A tag is no field of its struct: msgspec has no place for its words."""
    for kind in (Target, VoicemailTarget, FaxTarget):
        parts[kind.__name__]["properties"]["kind"]["description"] = "Which kind of target this is."


def _operation(path: str, summary: str, asked: type | None, answers: tuple[type, ...]) -> dict[str, Any]:
    done = (
        {"200": {"description": "Decided", **_content(*answers)}}
        if answers
        else {"204": {"description": "Done"}}
    )
    problem = {"application/problem+json": {"schema": {"$ref": _REF.format(name="ProblemDetails")}}}
    codes = ("401", "404", "409", "413", "422", "503")
    operation: dict[str, Any] = {
        "tags": ["edge"],
        "summary": summary,
        "security": [{"edge_key": []}, {"edge_basic": []}],
        "responses": {**done, **{code: {"description": "Problem", "content": problem} for code in codes}},
    }
    if asked is not None:
        operation["requestBody"] = {"required": True, **_content(asked)}
    if "{call_id}" in path:
        operation["parameters"] = [_parameter("call_id", "path")]
    return operation


def _parameter(name: str, where: str) -> dict[str, Any]:
    said = PARAMETERS[name]
    return {"name": name, "in": where, "required": True, "description": said, "schema": {"type": "string"}}


def _content(*kinds: type) -> dict[str, Any]:
    refs = [{"$ref": _REF.format(name=kind.__name__)} for kind in kinds]
    return {"content": {"application/json": {"schema": refs[0] if len(refs) == 1 else {"anyOf": refs}}}}
