"""Many DDIs in one request, all or nothing: `ddis/bulk` makes a range, others give and unlink lists."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from landline.chassis.auth import Principal
from landline.chassis.idempotency import WRITE_HEADERS, Answer
from landline.chassis.problems import Conflict, FieldError, InvalidInput, NotFound, Problem, responses
from landline.chassis.resources import (
    Actor,
    ApiModel,
    Registry,
    Row,
    allowed,
    check_new,
    check_texts,
    post_once,
    update,
    wire,
)
from landline.chassis.resources.field_types import E164Number, unique_items
from pydantic import AfterValidator, BaseModel, Field, create_model
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.api.ddi_writer import add_ddis, new_row
from provisioning.api.ddis import DDIS, DdiFields, unlink_ddi
from provisioning.domain.ddi_rules import number_refusals

MOST_NUMBERS = 10_000
MOST_IDS = 500
CHECKED_AT_ONCE = 100
SHOWN = 100

# What differs from number to number, or means nothing for a whole range.
_NOT_OF_A_RANGE = frozenset({"number", "device_id", "fax_id"})
_COMMON: dict[str, Any] = {
    name: (wire.kind_of(info), info)
    for name, info in DdiFields.model_fields.items()
    if name not in _NOT_OF_A_RANGE
}
DdiRange: Any = create_model(
    "DdiRange",
    __base__=ApiModel,
    __doc__="`first` and the numbers after it, `count` in all. The other fields are as for one DDI.",
    first=(E164Number, ...),
    count=(Annotated[int, Field(ge=1, le=MOST_NUMBERS)], ...),
    brand_id=(UUID | None, Field(None, description="the platform level says for which brand")),
    **_COMMON,
)


class RangeMade(BaseModel):
    """The range as it was made."""

    created: int
    first: str
    last: str


class Given(ApiModel):
    """DDIs of the pool, and whose they are to be."""

    client_id: UUID
    ddi_ids: Annotated[list[UUID], Field(min_length=1, max_length=MOST_IDS), AfterValidator(unique_items)]


class Taken(ApiModel):
    """DDIs to put back into the pool."""

    ddi_ids: Annotated[list[UUID], Field(min_length=1, max_length=MOST_IDS), AfterValidator(unique_items)]


class BulkDone(BaseModel):
    """How many were changed: all of them."""

    changed: int


def bulk_router(registry: Registry) -> APIRouter:
    """`ddis/bulk`, `ddis/bulk-assign`, `ddis/bulk-unlink`."""
    router = APIRouter(tags=["ddis"])

    @router.post(
        "/ddis/bulk",
        name="create ddis",
        status_code=201,
        response_model=RangeMade,
        responses=responses(401, 403, 409, 422),
        openapi_extra=WRITE_HEADERS,
    )
    async def make_range(
        body: DdiRange,
        request: Request,
        caller: Annotated[Principal, allowed(DDIS, "c")],
    ) -> Response:
        """Make a range of numbers, all or none. 409 `number_taken` lists those that exist already."""
        check_texts(await request.json())
        return await post_once(request, caller, lambda tx, actor: _make(tx, registry, actor, body))

    @router.post(
        "/ddis/bulk-assign",
        name="assign ddis",
        response_model=BulkDone,
        responses=responses(401, 403, 409, 422),
        openapi_extra=WRITE_HEADERS,
    )
    async def assign(
        body: Given, request: Request, caller: Annotated[Principal, allowed(DDIS, "u")]
    ) -> Response:
        """Give numbers of the pool to a client, all or none; errors name the place in the list."""
        patch = {"client_id": str(body.client_id)}

        async def one(tx: AsyncConnection, actor: Actor, ddi_id: UUID) -> None:
            await update(tx, registry, DDIS, actor, ddi_id, patch)

        return await post_once(request, caller, lambda tx, actor: _each(tx, actor, body.ddi_ids, one))

    @router.post(
        "/ddis/bulk-unlink",
        name="unlink ddis",
        response_model=BulkDone,
        responses=responses(401, 403, 409, 422),
        openapi_extra=WRITE_HEADERS,
    )
    async def unlink(
        body: Taken, request: Request, caller: Annotated[Principal, allowed(DDIS, "u")]
    ) -> Response:
        """Put numbers back into the pool, all or none; what their clients had set is dropped."""

        async def one(tx: AsyncConnection, actor: Actor, ddi_id: UUID) -> None:
            await unlink_ddi(tx, registry, actor, ddi_id)

        return await post_once(request, caller, lambda tx, actor: _each(tx, actor, body.ddi_ids, one))

    return router


async def _make(tx: AsyncConnection, registry: Registry, actor: Actor, body: Any) -> Answer:
    first = int(body.first[1:])
    numbers = [f"+{n}" for n in range(first, first + body.count)]
    pattern = await _checked_pattern(tx, registry, actor, body)
    await _check_numbers(numbers, pattern["country"], unusual=body.unusual_number)
    taken: set[str] = set()
    for start in range(0, len(numbers), CHECKED_AT_ONCE * 5):
        some = numbers[start : start + CHECKED_AT_ONCE * 5]
        rows = [new_row(actor, pattern["brand_id"], {**pattern, "number": number}) for number in some]
        taken |= await add_ddis(tx, registry, actor, rows)
        await asyncio.sleep(0)
    if taken:
        shown = [FieldError("first", "taken", number) for number in sorted(taken)[:SHOWN]]
        raise Conflict("number_taken", f"{len(taken)} of the numbers exist already", errors=shown)
    return Answer(201, {"created": len(numbers), "first": numbers[0], "last": numbers[-1]})


async def _checked_pattern(tx: AsyncConnection, registry: Registry, actor: Actor, body: Any) -> Row:
    """What all the numbers have in common, checked by the rules of one DDI. Raises InvalidInput."""
    values = body.model_dump(exclude_unset=True, exclude={"first", "count"})
    given = wire.create_schema(DDIS).model_validate({**values, "number": body.first})
    try:
        change = await check_new(tx, registry, DDIS, actor, given)
    except InvalidInput as error:
        named = [replace(e, field="first") if e.field == "number" else e for e in error.errors]
        raise InvalidInput(named) from None
    return {name: value for name, value in change.new.items() if name not in _NOT_OF_A_RANGE}


async def _check_numbers(numbers: list[str], country: str | None, *, unusual: bool) -> None:
    """Every number must be one; a hundred at a time, so that other requests get their turn."""
    for start in range(0, len(numbers), CHECKED_AT_ONCE):
        for number in numbers[start : start + CHECKED_AT_ONCE]:
            for refusal in number_refusals(number, country, unusual=unusual):
                raise InvalidInput([FieldError("first", refusal.code, f"{number}: {refusal.message}")])
        await asyncio.sleep(0)


async def _each(
    tx: AsyncConnection,
    actor: Actor,
    ids: Iterable[UUID],
    one: Callable[[AsyncConnection, Actor, UUID], Awaitable[Any]],
) -> Answer:
    """Do it for each, in id order against deadlocks; what refuses is told together, and nothing is kept."""
    place = {ddi_id: n for n, ddi_id in enumerate(ids)}
    errors: list[FieldError] = []
    for ddi_id in sorted(place):
        try:
            await one(tx, actor, ddi_id)
        except (InvalidInput, Conflict, NotFound) as problem:
            errors.append(_told(place[ddi_id], problem))
    if errors:
        raise InvalidInput(sorted(errors, key=lambda e: int(e.field.partition(".")[2]))[:SHOWN])
    return Answer(200, {"changed": len(place)})


def _told(place: int, problem: Problem) -> FieldError:
    if not problem.errors:
        return FieldError(f"ddi_ids.{place}", problem.code, problem.detail)
    first = problem.errors[0]
    return FieldError(f"ddi_ids.{place}", first.code, f"{first.field}: {first.message}")
