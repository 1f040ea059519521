"""For billing only: money that an operation on a balance is about to take (domain.md section 8)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from landline.chassis.auth import only_system
from landline.chassis.problems import Conflict, NotFound
from landline.kernel.money import decimal_string
from pydantic import BaseModel, Field

from call_control.adapters.reservations import Reservations
from call_control.api.services import Services, services_of
from call_control.domain.replies import Status

router = APIRouter(prefix="/internal", dependencies=[Depends(only_system)], include_in_schema=False)


class Reservation(BaseModel):
    """`amount_micros` for a minute, under the operation's id."""

    client_id: UUID
    operation_id: UUID
    amount_micros: Annotated[int, Field(ge=0, lt=2**53)]


@router.post("/reservations", status_code=201)
async def reserve(body: Reservation, request: Request) -> dict[str, str]:
    """Hold the money, or 409 `not_available` with what there is."""
    services, client_id = services_of(request), str(body.client_id)
    partition, now_ms = await _partition(services, client_id), services.clock.now_ms()
    reservations = Reservations(services.store.batch)
    status, available = await reservations.reserve(
        partition, client_id, str(body.operation_id), body.amount_micros, now_ms
    )
    if status is Status.SHORT:
        raise Conflict("not_available", f"available {decimal_string(available)}; the rest is on live calls")
    return {"available": decimal_string(available)}


@router.delete("/reservations/{client_id}/{operation_id}", status_code=204)
async def release(client_id: UUID, operation_id: UUID, request: Request) -> Response:
    """Give it back; also when there is none."""
    services = services_of(request)
    partition = await _partition(services, str(client_id))
    await Reservations(services.store.batch).release(partition, str(client_id), str(operation_id))
    return Response(status_code=204)


async def _partition(services: Services, client_id: str) -> int:
    client = await services.facts.find_client(client_id)
    if client is None:
        raise NotFound("no such client")
    return int((await services.facts.directory()).brands[client.brand_id]["partition"])
