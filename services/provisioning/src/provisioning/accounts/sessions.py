"""Sessions: opened by a login or an impersonation, renewed by refresh tokens that work once, ended at once.

A refresh token that comes a second time has been stolen or replayed: its whole session ends (RFC 9700
section 4.14.2). Ending a session ends the impersonations opened from it, and is announced on the config
stream, so that the access tokens of every process die within moments.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from landline.chassis import outbox
from landline.contracts import streams
from landline.contracts.envelope import seal
from landline.contracts.provisioning.events import SessionRevoked
from landline.kernel.ids import new_id
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.accounts.tokens import SESSION_LIFE_S, Identity, new_refresh_token, refresh_hash

_OPEN = text(
    "insert into sessions (id, admin_id, brand_id, client_id, root_id, level, acting_brand_id,"
    " acting_client_id, impersonating, created_at, expires_at, address, user_agent)"
    " select :id, a.id, a.brand_id, a.client_id, coalesce(cast(:root as uuid), :id), :level,"
    " cast(:brand as uuid), cast(:client as uuid), :impersonating, now(), now() + cast(:life as interval),"
    " cast(:address as text), cast(:agent as text) from admins a where a.id = :admin"
)
_ISSUE = text("insert into refresh_tokens (sha256, session_id) values (:sha256, :session)")
_FIND = text(
    "select s.*, r.used_at, s.expires_at <= now() as expired from refresh_tokens r"
    " join sessions s on s.id = r.session_id where r.sha256 = :sha256 for update of r, s"
)
_USE = text("update refresh_tokens set used_at = now() where sha256 = :sha256")
_TOUCH = text("update sessions set refreshed_at = now() where id = :id")
_REVOKE = (
    "update sessions set revoked_at = now(), revoked_because = :why"
    " where revoked_at is null and {which} returning id"
)
_BY_ROOT = text(_REVOKE.format(which="(id = :id or root_id = :id)"))
_BY_ADMIN = text(
    _REVOKE.format(which="admin_id = :id and (cast(:keep as uuid) is null or root_id <> cast(:keep as uuid))")
)
_PURGE = text("delete from sessions where expires_at < now() - interval '1 day'")


@dataclass(frozen=True, slots=True)
class Origin:
    """From where a session was opened, for people who look through theirs; and why, for the audit log."""

    address: str | None = None
    user_agent: str | None = None
    request_id: str = ""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A session's id and its next refresh token."""

    sid: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What became of a refresh token: the session's row and a new token, or neither."""

    session: Row[Any] | None
    refresh_token: str = ""


async def open_session(
    tx: AsyncConnection, identity: Identity, origin: Origin, root_id: str | None = None
) -> Opened:
    """A new session of an admin. `root_id`: the session that it was opened from, by impersonation."""
    sid = new_id()
    values = {
        "id": UUID(sid),
        "root": UUID(root_id) if root_id else None,
        "admin": UUID(identity.admin_id),
        "level": identity.level,
        "brand": UUID(identity.brand_id) if identity.brand_id else None,
        "client": UUID(identity.client_id) if identity.client_id else None,
        "impersonating": identity.impersonator_id is not None,
        "life": timedelta(seconds=SESSION_LIFE_S),
        "address": origin.address,
        "agent": origin.user_agent,
    }
    await tx.execute(_OPEN, values)
    return Opened(sid, await _issue(tx, sid))


async def rotate(tx: AsyncConnection, refresh_token: str) -> Refreshed:
    """Use up a refresh token. A second use ends the session; the caller commits that, then refuses."""
    sha256 = refresh_hash(refresh_token)
    session = (await tx.execute(_FIND, {"sha256": sha256})).first()
    if session is None or session.expired or session.revoked_at is not None:
        return Refreshed(None)
    if session.used_at is not None:
        await revoke_session(tx, str(session.id), "refresh token used twice")
        return Refreshed(None)
    await tx.execute(_USE, {"sha256": sha256})
    await tx.execute(_TOUCH, {"id": session.id})
    return Refreshed(session, await _issue(tx, str(session.id)))


async def revoke_session(tx: AsyncConnection, sid: str, why: str) -> None:
    """End a session and the impersonations opened from it."""
    await _announce(tx, (await tx.execute(_BY_ROOT, {"id": UUID(sid), "why": why})).scalars())


async def revoke_admin(tx: AsyncConnection, admin_id: str, why: str, keep_root: str | None = None) -> None:
    """End every session of an admin; with `keep_root`, all but the one in which it is asked."""
    values = {"id": UUID(admin_id), "why": why, "keep": UUID(keep_root) if keep_root else None}
    await _announce(tx, (await tx.execute(_BY_ADMIN, values)).scalars())


async def purge(tx: AsyncConnection) -> None:
    """Forget sessions that expired a day ago, with their refresh tokens."""
    await tx.execute(_PURGE)


async def _issue(tx: AsyncConnection, sid: str) -> str:
    token = new_refresh_token()
    await tx.execute(_ISSUE, {"sha256": refresh_hash(token), "session": UUID(sid)})
    return token


async def _announce(tx: AsyncConnection, ids: Iterable[UUID]) -> None:
    for sid in ids:
        event = SessionRevoked(sid=str(sid))
        # Real time, as everywhere in authentication: the test clock must not move it.
        sealed = seal(event, producer="provisioning", now_ms=time.time_ns() // 1_000_000)
        await outbox.add(tx, streams.CONFIG, sealed)
