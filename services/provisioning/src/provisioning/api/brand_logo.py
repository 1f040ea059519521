"""`brands/{id}/logo`: a small picture for portals and documents, set by the platform, seen by the brand."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from landline.chassis.auth import Caller, Principal
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import FieldError, InvalidInput, NotFound, PayloadTooLarge, responses
from landline.chassis.resources import actor_of, allowed, fetch
from landline.chassis.resources.audit import record
from landline.kernel.clock import utc
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.api.brands import BRANDS

MOST_BYTES = 512 * 1024
# By what the file begins with: what it calls itself is only a claim. No SVG: it can hold scripts.
_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_PICTURE: dict[str, Any] = {
    kind: {"schema": {"type": "string", "format": "binary"}} for kind in _KINDS.values()
}
router = APIRouter(tags=["brands"])

_KEEP = text(
    "insert into brand_logos (brand_id, content_type, sha256, body, updated_at)"
    " values (:brand_id, :kind, :sha256, :body, :now) on conflict (brand_id) do update"
    " set content_type = excluded.content_type, sha256 = excluded.sha256, body = excluded.body,"
    " updated_at = excluded.updated_at"
)
_READ = text("select content_type, sha256, body from brand_logos where brand_id = :brand_id")
_KNOWN = text("select sha256 from brand_logos where brand_id = :brand_id")
_DROP = text("delete from brand_logos where brand_id = :brand_id")


@router.put(
    "/brands/{id}/logo",
    name="set logo",
    status_code=204,
    response_class=Response,
    responses=responses(401, 403, 404, 413, 422),
    openapi_extra={"requestBody": {"required": True, "content": _PICTURE}},
)
async def set_logo(
    id: UUID, request: Request, caller: Annotated[Principal, allowed(BRANDS, "u")]
) -> Response:
    """A PNG or JPEG of at most 512 KiB, as the body."""
    body = await request.body()
    if len(body) > MOST_BYTES:
        raise PayloadTooLarge(f"at most {MOST_BYTES} bytes")
    kind = next((kind for start, kind in _KINDS.items() if body.startswith(start)), None)
    if kind is None:
        raise InvalidInput([FieldError("body", "not_a_picture", "a PNG or a JPEG")])
    sha256, now = hashlib.sha256(body).hexdigest(), utc(request.app.state.settings.clock.now_ms())
    db: Database = request.app.state.db
    async with db.transaction(Scope.of(caller)) as tx:
        await fetch(tx, BRANDS, caller, id, lock=True)
        await _record(tx, request, caller, id, sha256)
        await tx.execute(_KEEP, {"brand_id": id, "kind": kind, "sha256": sha256, "body": body, "now": now})
    return Response(status_code=204)


@router.get(
    "/brands/{id}/logo",
    name="get logo",
    response_class=Response,
    responses={200: {"content": _PICTURE}, **responses(401, 403, 404, 422)},
)
async def get_logo(
    id: UUID, request: Request, caller: Annotated[Principal, allowed(BRANDS, "r")]
) -> Response:
    """The picture; 404 when there is none."""
    db: Database = request.app.state.db
    async with db.transaction(Scope.of(caller)) as tx:
        await fetch(tx, BRANDS, caller, id)
        row = (await tx.execute(_READ, {"brand_id": id})).first()
    if row is None:
        raise NotFound("the brand has no logo")
    tag = f'"{row.sha256[:32]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(bytes(row.body), media_type=row.content_type, headers={"ETag": tag})


@router.delete(
    "/brands/{id}/logo",
    name="delete logo",
    status_code=204,
    response_class=Response,
    responses=responses(401, 403, 404, 422),
)
async def delete_logo(
    id: UUID, request: Request, caller: Annotated[Principal, allowed(BRANDS, "u")]
) -> Response:
    """No picture any more."""
    db: Database = request.app.state.db
    async with db.transaction(Scope.of(caller)) as tx:
        await fetch(tx, BRANDS, caller, id, lock=True)
        await _record(tx, request, caller, id, None)
        if not (await tx.execute(_DROP, {"brand_id": id})).rowcount:
            raise NotFound("the brand has no logo")
    return Response(status_code=204)


async def _record(
    tx: AsyncConnection, request: Request, caller: Caller, brand_id: UUID, sha256: str | None
) -> None:
    before = await tx.scalar(_KNOWN, {"brand_id": brand_id})
    await record(
        tx,
        actor_of(request, caller),
        resource=BRANDS.name,
        entity_id=str(brand_id),
        action="update",
        changes={"logo": {"before": before, "after": sha256}},
        brand_id=brand_id,
    )
