"""The notification log: what was told to whom, how it went, and sending one again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from landline.chassis.auth import Caller
from landline.chassis.idempotency import Answer
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import Conflict, FieldError, Forbidden, InvalidInput, responses
from landline.chassis.request_headers import header, takes
from landline.chassis.resources import (
    Actor,
    ApiModel,
    Registry,
    Resource,
    Rights,
    Row,
    fetch,
    post_once,
    resource_router,
)
from landline.chassis.resources.audit import record
from landline.chassis.resources.wire import to_wire
from landline.kernel.clock import utc
from landline.kernel.ids import uuid7
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters.tables import NOTIFICATIONS
from notifier.domain.address import NotAnAddress, address
from notifier.domain.delivery import State
from notifier.domain.facts import message_id, resend_key
from notifier.domain.kinds import SECRET_KINDS


class NothingToWrite(ApiModel):
    """The log is written by notifier alone."""


class NotificationRead(ApiModel):
    """A mail and its history; the words themselves are at `notifications/{id}/content`.

    Without brand or client: it concerns an account of the platform or of the brand.
    """

    brand_id: UUID | None = Field(
        description="whose mail it is; null: it concerns an account of the platform"
    )
    client_id: UUID | None = Field(
        description="the client it is about; null: an account of the brand or the platform"
    )
    kind: str = Field(description="what it tells, such as daily_usage")
    fact_key: str = Field(description="the fact that it tells; each address is told it once")
    address: str = Field(description="the e-mail address it goes to")
    language: str = Field(description="the language it is written in")
    subject: str = Field(description="as it is, or will be, sent")
    state: str = Field(
        description="pending, sending, sent, uncertain (no answer after the message) or failed"
    )
    attempts: int = Field(description="tries so far")
    next_attempt_at: datetime | None = Field(description="null: no further try")
    first_attempt_at: datetime | None = Field(description="null: not tried yet")
    sent_at: datetime | None = Field(description="when the mail server took it; null: not yet")
    error: str | None = Field(description="what went wrong at the last try; null: nothing")
    log: list[dict[str, str]] = Field(description="what happened to it, oldest first, at most 60 lines")
    message_id: str = Field(description="its Message-ID header, the same at every try")
    resend_of: UUID | None = Field(description="the notification that it sends once more; null: none")


class Content(BaseModel):
    """The words of a mail as they were, or will be, sent."""

    from_name: str
    subject: str
    text: str
    html: str


RESOURCE = Resource(
    name="notifications",
    entity="notification",
    table=NOTIFICATIONS,
    fields=NothingToWrite,
    read_only=NotificationRead,
    tenancy="client",
    client_column="client_id",
    rights=Rights("r", "r", "r"),
    filters=("kind", "state", "address", "language", "subject", "sent_at", "fact_key", "resend_of"),
    sorts=("created_at", "updated_at"),
    default_sort="-created_at",
    about=(
        "Mails and how they went. state: pending (waits for its next try), sending, sent, failed, or "
        "uncertain (the server had the message and did not answer: sent once more with the same "
        "Message-ID; without next_attempt_at it stays so)."
    ),
)
REGISTRY = Registry("notifier", (RESOURCE,))
router = APIRouter()


@router.get(
    "/notifications/{id}/content",
    summary="Read a mail's words",
    tags=["notifications"],
    response_model=Content,
    responses=responses(401, 403, 404, 422),
)
async def content(id: UUID, request: Request, caller: Caller) -> Row:
    """The words of a mail."""
    RESOURCE.require(caller, "r")
    db: Database = request.app.state.db
    async with db.transaction(Scope.of(caller)) as tx:
        row = await fetch(tx, RESOURCE, caller, id)
    if row["kind"] in SECRET_KINDS:
        raise Forbidden("these words open an account: only who got the mail may read them", code="secret")
    return {name: row[name] for name in Content.model_fields}


@router.post(
    "/notifications/{id}/resend",
    summary="Send a mail again",
    tags=["notifications"],
    status_code=201,
    responses=responses(401, 403, 404, 409, 422),
    openapi_extra=takes(
        "Idempotency-Key", header("X-Reason", "why; kept with the audit entry", required=True)
    ),
)
async def resend(id: UUID, request: Request, caller: Caller) -> Response:
    """Send a finished mail's words again, as a new message to the same address, linked by `resend_of`."""
    if caller.level == "client":
        raise Forbidden("operators only", code="no_right")
    caller.require("notifications", "c")
    if not request.headers.get("x-reason", "").strip():
        raise InvalidInput([FieldError("X-Reason", "required", "say why this mail is sent again")])
    return await post_once(request, caller, lambda tx, actor: _send_again(tx, actor, id))


async def _send_again(tx: AsyncConnection, actor: Actor, old_id: UUID) -> Answer:
    old = await fetch(tx, RESOURCE, actor.principal, old_id, lock=True)
    _check_over(old)
    new = again(old, actor.now_ms, actor.settings.mail_from)
    await tx.execute(NOTIFICATIONS.insert().values(new))
    row = (await tx.execute(select(NOTIFICATIONS).where(NOTIFICATIONS.c.id == new["id"]))).mappings().one()
    await record(
        tx, actor, resource="notifications", entity_id=str(new["id"]), action="resend",
        changes={"resend_of": {"before": None, "after": str(old_id)}},
        brand_id=old["brand_id"], client_id=old["client_id"],
    )  # fmt: skip
    place = f"/api/notifier/v1/notifications/{new['id']}"
    return Answer(201, to_wire(RESOURCE, dict(row), actor.principal), {"Location": place})


def _check_over(old: Row) -> None:
    if old["kind"] in SECRET_KINDS:
        raise Conflict("ask_anew", "such a mail is not sent twice: the person asks for another")
    if old["state"] == State.SENDING or old["next_attempt_at"] is not None:
        raise Conflict("not_over", "this mail is still being tried; see next_attempt_at")
    try:
        address(old["address"])
    except NotAnAddress as error:
        raise Conflict("address_invalid", "what this mail was meant for is no mail address") from error


def again(old: Row, now_ms: int, mail_from: str) -> dict[str, Any]:
    """A new mail with the words of an old one: a fact of its own, with its own Message-ID."""
    new_id = uuid7(now_ms)
    kept = ("brand_id", "client_id", "kind", "address", "language", "from_name", "subject", "text", "html")
    return {
        **{name: old[name] for name in kept},
        "id": new_id,
        "version": 1,
        "created_at": utc(now_ms),
        "updated_at": utc(now_ms),
        "fact_key": resend_key(str(new_id)),
        "message_id": message_id(str(new_id), mail_from),
        "state": State.PENDING.value,
        "attempts": 0,
        "next_attempt_at": utc(now_ms),
        "log": [],
        "resend_of": old["id"],
    }


router.include_router(resource_router(REGISTRY, RESOURCE))
