"""For the other services only: snapshot, deck files, postings, what `reconcile` compares."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from landline.chassis.auth import only_system
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import FieldError, InvalidInput, NotFound

from billing.app.ledger_facts import ledger_of, postings_after
from billing.app.snapshot import snapshot_lines

router = APIRouter(prefix="/internal", dependencies=[Depends(only_system)], include_in_schema=False)
MOST_CLIENTS = 1_000


@router.get("/snapshot")
async def snapshot(request: Request) -> Response:
    """Plans, profiles, decks and balances as NDJSON, with the streams' positions before they were read."""
    state = request.app.state
    lines = snapshot_lines(state.db, state.redis, state.settings.clock.now_ms())
    return StreamingResponse(lines, media_type="application/x-ndjson")


@router.get("/decks/{deck_id}/{version}")
async def deck_file(deck_id: UUID, version: int, request: Request) -> Response:
    """A version of a rate deck, as `tariff.published.v1` announced it."""
    db: Database = request.app.state.db
    async with db.asyncpg(Scope.system()) as conn:
        file = await conn.fetchval(
            "select file from deck_versions where deck_id = $1 and version = $2", deck_id, version
        )
    if file is None:
        raise NotFound("no such version of a rate deck")
    return Response(bytes(file), media_type="application/octet-stream")


@router.get("/postings")
async def postings(request: Request, client_id: UUID, after: Annotated[int, Query(ge=0)] = 0) -> Response:
    """`{"items": [...]}`: the client's postings with a higher sequence, as in their events, 1,000 a page."""
    db: Database = request.app.state.db
    async with db.asyncpg(Scope.system()) as conn:
        items = await postings_after(conn, client_id, after)
    return JSONResponse({"items": items})


@router.get("/reconcile")
async def reconcile(request: Request, client_ids: str) -> Response:
    """`{"items": [{client_id, balance_micros, sequence, days: {local date: micros}, posted: [...]}]}`."""
    try:
        wanted = [UUID(text) for text in client_ids.split(",")[: MOST_CLIENTS + 1]]
    except ValueError:
        raise InvalidInput([FieldError("client_ids", "invalid_value", "ids, with commas")]) from None
    if len(wanted) > MOST_CLIENTS:
        raise InvalidInput([FieldError("client_ids", "too_many", f"at most {MOST_CLIENTS}")])
    db: Database = request.app.state.db
    now_ms: int = request.app.state.settings.clock.now_ms()
    async with db.asyncpg(Scope.system()) as conn:
        items: list[dict[str, Any]] = await ledger_of(conn, wanted, now_ms)
    return JSONResponse({"items": items})
