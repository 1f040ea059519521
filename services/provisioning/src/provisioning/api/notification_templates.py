"""Which notification template is used for which kind; the templates themselves are the notifier's."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from landline.chassis.auth import Caller
from landline.chassis.problems import responses
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

TEMPLATES = "/api/notifier/v1/notification-templates"

NotificationKind = Literal[
    "fax", "voicemail", "daily_usage", "low_balance", "invoice", "call_report", "recording"
]


def _id(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise PydanticCustomError("uuid", "not an id") from None


TemplateId = Annotated[str, Field(max_length=36), AfterValidator(_id)]
TemplateIds = Annotated[
    dict[NotificationKind, TemplateId | None],
    AfterValidator(lambda chosen: {kind: own for kind, own in chosen.items() if own}),
    Field(
        description="notification template by kind; a kind left out: the level above's, then the built-in one"
    ),
]

router = APIRouter(tags=["notification-templates"])
ANSWERS = {307: {"description": "the same address at the notifier"}, **responses(401)}


async def templates(request: Request, _caller: Caller) -> RedirectResponse:
    """Kept by the notifier, which reads and previews them: this address leads there, method and body too."""
    return RedirectResponse(f"{TEMPLATES}?{request.url.query}".rstrip("?"), 307)


async def template(id: UUID, _caller: Caller) -> RedirectResponse:
    """One of them, at the notifier."""
    return RedirectResponse(f"{TEMPLATES}/{id}", 307)


for method, name in (("GET", "list notification-templates"), ("POST", "create notification_template")):
    router.add_api_route(
        "/notification-templates",
        templates,
        methods=[method],
        name=name,
        status_code=307,
        response_class=RedirectResponse,
        responses=ANSWERS,
    )
for method, verb in (("GET", "get"), ("PATCH", "change"), ("DELETE", "delete")):
    router.add_api_route(
        "/notification-templates/{id}",
        template,
        methods=[method],
        name=f"{verb} notification_template",
        status_code=307,
        response_class=RedirectResponse,
        responses=ANSWERS,
    )
