"""Idempotency-Key: the same POST twice has one effect and one answer (contracts section 2).

The key belongs to principal, method and path, and lives 24 h. It is stored in the transaction of the
effect: either both are there or neither. While the first request runs, the second gets 409 + Retry-After:
an advisory lock tells, without waiting. The answer is encrypted with the key's value, of which only a hash
is stored: it may hold a secret shown once, and a copy of the table must not reveal it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from landline.chassis.auth import Principal
from landline.chassis.background import rounds
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import Conflict, FieldError, InvalidInput
from landline.chassis.request_headers import LONGEST_KEY, takes

LIFE = timedelta(hours=24)

WRITE_HEADERS = takes("Idempotency-Key", "X-Reason")
"""`openapi_extra=` of a POST that uses `once`: the headers that it takes."""
READ_HEADERS = takes("Idempotency-Key")
"""`openapi_extra=` of a POST that uses `once_reading`."""

PURGE_EVERY_S = 600
_FORM = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_KEY}}}")


@dataclass
class Answer:
    """What a use case answers: JSON body and headers."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """As HTTP."""
        if self.status == 204:
            return Response(status_code=204, headers=self.headers)
        return JSONResponse(self.body, self.status, self.headers)


@dataclass(frozen=True)
class RequestKey:
    """One Idempotency-Key in its scope, and the hash of the body it came with."""

    value: str
    scope: str
    body_hash: bytes

    @property
    def id(self) -> bytes:
        """What is stored instead of the key."""
        return hashlib.sha256(f"id\0{self.scope}\0{self.value}".encode()).digest()

    @property
    def _cipher(self) -> AESGCM:
        return AESGCM(hashlib.sha256(f"answer\0{self.scope}\0{self.value}".encode()).digest())

    def seal(self, answer: Answer) -> bytes:
        """The answer, encrypted with the key's value."""
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, json.dumps(vars(answer)).encode(), self.id)

    def open(self, sealed: bytes) -> Answer:
        """The stored answer."""
        return Answer(**json.loads(self._cipher.decrypt(sealed[:12], sealed[12:], self.id)))


async def request_key(
    request: Request, principal: Principal, content: bytes | None = None
) -> RequestKey | None:
    """The request's key; None when it has none; InvalidInput when it has no proper form.

    `content`: what is compared in place of the body (a multipart body has a new boundary every time).
    """
    value = request.headers.get("idempotency-key")
    if value is None:
        return None
    if not _FORM.fullmatch(value):
        message = f"1 to {LONGEST_KEY} visible ASCII characters"
        raise InvalidInput([FieldError("Idempotency-Key", "invalid_key", message)])
    scope = f"{principal.identity}\0{request.method}\0{request.url.path}"
    return RequestKey(
        value, scope, hashlib.sha256(await request.body() if content is None else content).digest()
    )


async def once(
    tx: AsyncConnection, key: RequestKey | None, effect: Callable[[], Awaitable[Answer]]
) -> Answer:
    """The effect's answer, or the answer it gave before; stored in `tx`, the transaction of the effect.

    Raises Conflict while the first request with this key is still running, InvalidInput when the key came
    with another body. An effect that raises stores nothing: the request may be tried again.
    """
    if key is None:
        return await effect()
    stored = await _stored(tx, key)
    if stored is not None:
        return stored
    answer = await effect()
    await tx.execute(
        text(
            "insert into idempotency_keys (id, body_hash, answer, expires_at)"
            " values (:id, :body_hash, :answer, now() + :life)"
        ),
        {"id": key.id, "body_hash": key.body_hash, "answer": key.seal(answer), "life": LIFE},
    )
    return answer


async def once_reading(
    request: Request, principal: Principal, effect: Callable[[], Awaitable[Answer]]
) -> Response:
    """`once` for a POST that changes nothing: whoever repeats a question with its key gets the first answer.

    The effect runs outside of the key's transactions, so that no request holds two connections. Needs
    `app.state.db`, but only for a request with a key.
    """
    key = await request_key(request, principal)
    if key is None:
        return (await effect()).response()
    db: Database = request.app.state.db
    async with db.transaction(Scope.of(principal)) as tx:
        stored = await _stored(tx, key)
    if stored is not None:
        return stored.response()
    answer = await effect()

    async def found() -> Answer:
        return answer

    async with db.transaction(Scope.of(principal)) as tx:
        return (await once(tx, key, found)).response()


async def _stored(tx: AsyncConnection, key: RequestKey) -> Answer | None:
    lock = int.from_bytes(key.id[:8], "big", signed=True)
    if not await tx.scalar(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": lock}):
        raise Conflict(
            "request_in_progress", "the first request with this key is running", headers={"Retry-After": "1"}
        )
    await tx.execute(
        text("delete from idempotency_keys where id = :id and expires_at <= now()"), {"id": key.id}
    )
    row = (
        await tx.execute(
            text("select body_hash, answer from idempotency_keys where id = :id"), {"id": key.id}
        )
    ).first()
    if row is None:
        return None
    if bytes(row.body_hash) != key.body_hash:
        message = "this key came before with another body"
        raise InvalidInput(
            [FieldError("Idempotency-Key", "key_reused", message)], code="idempotency_key_reused"
        )
    answer = key.open(bytes(row.answer))
    answer.headers["Idempotent-Replayed"] = "true"
    return answer


async def purge(db: Database, stop: asyncio.Event) -> None:
    """Background work: delete expired keys every ten minutes."""

    async def forget() -> None:
        async with db.transaction(Scope.system()) as tx:
            await tx.execute(text("delete from idempotency_keys where expires_at < now()"))

    await rounds("purge of idempotency keys", forget, stop, every_s=PURGE_EVERY_S)
