"""A client's balance and what moves it by hand; the ledger's lines."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from landline.chassis.auth import Principal, right
from landline.chassis.idempotency import Answer, once, request_key
from landline.chassis.postgres import Database, Scope, raw
from landline.chassis.problems import FieldError, Forbidden, InvalidInput, NotFound, responses
from landline.chassis.request_headers import header, takes
from landline.chassis.resources import (
    Actor,
    ApiModel,
    MoneyText,
    Registry,
    Rights,
    actor_of,
    check_texts,
    resource_router,
)
from landline.chassis.resources.audit import record
from landline.chassis.resources.field_types import Line
from landline.kernel.money import decimal_string
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.adapters.reservations import Reservations
from billing.adapters.tables import POSTINGS
from billing.api.details import DetailsOf, PricedResource
from billing.app.accounts import client_appears
from billing.app.operate_balance import NotTheSameOperation, Operation, Reserve, operate
from billing.domain.ledger import BalanceOutOfRange, Posting

MOST = "10000000"


class BalanceOperation(ApiModel):
    """Money in or out by an operator's hand. A decrement may take the balance below zero, unless it stays
    `within_available`: then it takes only what no live call holds, or is refused (409 `not_available`)."""

    operation: Literal["increment", "decrement"] = Field(description="money in or out")
    amount: Annotated[int, MoneyText(least="0.000001", most=MOST)] = Field(
        description="in the client's currency, more than 0"
    )
    reason: Annotated[Line | None, Field(description="shown with the posting; default: X-Reason")] = None
    within_available: Annotated[bool, Field(description="of a decrement: never what live calls hold")] = False


class Balance(BaseModel):
    """Where a client's ledger stands."""

    client_id: UUID = Field(description="whose ledger it is")
    balance: str = Field(description="sum of all postings; what live calls hold is still in it")
    sequence: int = Field(description="of the last posting")
    currency: str = Field(description="ISO 4217; the client's")


class OperationDone(BaseModel):
    """The posting that an operation made, and the balance after it."""

    operation_id: str = Field(description="the operation, once for each idempotency key")
    client_id: UUID = Field(description="whose ledger it is")
    sequence: int = Field(description="of the posting")
    kind: str = Field(description="of the posting, such as top_up")
    amount: str = Field(description="signed")
    balance: str = Field(description="after it")
    currency: str = Field(description="ISO 4217; the client's")


class PostingRead(ApiModel):
    """A line of the ledger. A charge is negative."""

    sequence: int = Field(description="its place in the client's ledger: 1, 2, 3 ... without gaps")
    kind: str = Field(description="charge, top_up, adjustment, refund, transfer or opening")
    amount: str = Field(description="signed; a charge is negative")
    balance_after: str = Field(description="the client's balance after it")
    call_id: str | None = Field(description="the call that is charged or corrected")
    operation_id: str | None = Field(description="the operation or correction that made it")
    author: str = Field(description="user name, API key, or system")
    reason: str | None = Field(description="as its author gave it")


class NothingToWrite(ApiModel):
    """The ledger is written by what happens, never by hand."""


LEDGER = PricedResource(
    name="postings",
    entity="posting",
    table=POSTINGS,
    fields=NothingToWrite,
    read_only=PostingRead,
    tenancy="client",
    client_column="client_id",
    rights=Rights("r", "r", "r"),
    priced=frozenset({"amount", "balance_after"}),
    filters=("sequence", "kind", "amount", "call_id", "operation_id", "author", "reason"),
    sorts=("created_at", "sequence"),
    default_sort="-created_at",
    about="The ledger, append-only. Filter by client_id and sort by sequence to read one client's.",
)
router = APIRouter(tags=["balance"])


def ledger_router(registry: Registry) -> APIRouter:
    """The list of postings."""
    ledger = APIRouter(dependencies=[Depends(DetailsOf())])
    ledger.include_router(resource_router(registry, LEDGER))
    return ledger


@router.get(
    "/clients/{client_id}/balance",
    summary="Get a client's balance",
    response_model=Balance,
    responses=responses(401, 403, 404),
    dependencies=[Depends(DetailsOf(needed=True))],
)
async def balance(
    client_id: UUID, request: Request, caller: Annotated[Principal, Depends(right("balance", "r"))]
) -> dict[str, Any]:
    """What the ledger says. Money on live calls is not in it: see call-control's `clients/{id}/usage`."""
    db: Database = request.app.state.db
    account = await client_appears(db, Scope.of(caller), client_id)
    if account is None:
        raise NotFound("no such client")
    return {
        "client_id": client_id,
        "balance": decimal_string(account.balance_micros),
        "sequence": account.sequence,
        "currency": account.currency,
    }


@router.post(
    "/clients/{client_id}/balance/operations",
    summary="Move money by hand",
    status_code=201,
    response_model=OperationDone,
    responses=responses(401, 403, 404, 409, 422),
    openapi_extra=takes(
        header("Idempotency-Key", "same key and body: the same posting, once, for ever", required=True),
        header("X-Reason", required=True),
    ),
)
async def operate_balance(
    client_id: UUID,
    request: Request,
    caller: Annotated[Principal, Depends(right("balance", "u"))],
    body: BalanceOperation,
) -> Response:
    """Move money by hand. Exactly once by Idempotency-Key, also long after the 24 h of other keys."""
    if caller.level == "client":
        raise Forbidden("operators only", code="no_right")
    check_texts(await request.json())
    _need_headers(request)
    key, actor, db = await request_key(request, caller), actor_of(request, caller), request.app.state.db
    if await client_appears(db, Scope.of(caller), client_id) is None:
        raise NotFound("no such client")
    if body.within_available and body.operation == "increment":
        message = "only a decrement can take too much"
        raise InvalidInput([FieldError("within_available", "not_a_decrement", message)])
    operation = Operation(
        client_id=str(client_id),
        amount_micros=body.amount if body.operation == "increment" else -body.amount,
        author=caller.username or caller.level,
        reason=body.reason or actor.reason or "",
        key=f"{caller.identity}|{key.value if key else ''}",
    )
    async with db.transaction(Scope.of(caller)) as tx:
        reserve = Reservations(actor.settings).reserve if body.within_available else None
        answer = await once(tx, key, lambda: _operate(tx, actor, operation, reserve))
    return answer.response()


def _need_headers(request: Request) -> None:
    needed = ("Idempotency-Key", "X-Reason")
    missing = [name for name in needed if not request.headers.get(name, "").strip()]
    if missing:
        raise InvalidInput([FieldError(name, "required", "needed to move money") for name in missing])


async def _operate(
    tx: AsyncConnection, actor: Actor, operation: Operation, reserve: Reserve | None
) -> Answer:
    try:
        posting, currency, replayed = await operate(await raw(tx), operation, actor.now_ms, reserve)
    except BalanceOutOfRange:
        raise InvalidInput([FieldError("amount", "out_of_range", "the balance would be too large")]) from None
    except NotTheSameOperation:
        message = "this key came before with another amount"
        raise InvalidInput(
            [FieldError("Idempotency-Key", "key_reused", message)], code="idempotency_key_reused"
        ) from None
    if replayed:
        return Answer(201, _done(posting, currency), {"Idempotent-Replayed": "true"})
    await record(
        tx,
        actor,
        resource="balance",
        entity_id=operation.client_id,
        action="increment" if operation.amount_micros > 0 else "decrement",
        changes={"balance": _change(posting)},
        brand_id=UUID(posting.brand_id),
        client_id=UUID(operation.client_id),
    )
    return Answer(201, _done(posting, currency))


def _change(posting: Posting) -> dict[str, str]:
    after = posting.balance_after_micros
    return {"before": decimal_string(after - posting.new.amount_micros), "after": decimal_string(after)}


def _done(posting: Posting, currency: str) -> dict[str, Any]:
    return {
        "operation_id": posting.new.operation_id,
        "client_id": posting.new.client_id,
        "sequence": posting.sequence,
        "kind": posting.new.kind,
        "amount": decimal_string(posting.new.amount_micros),
        "balance": decimal_string(posting.balance_after_micros),
        "currency": currency,
    }
