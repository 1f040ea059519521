"""The keys that sign access tokens: made at the first start, sealed at rest, changed every 90 days.

Public halves go to the Redis hash that every process verifies by. A new key is written there before it signs
anything; an old one stays until no token it signed can still be valid.
"""

from __future__ import annotations

import asyncio
import base64
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from landline.chassis import outbox
from landline.chassis.background import rounds
from landline.chassis.logging import get_logger
from landline.chassis.postgres import Database, Scope
from landline.chassis.secrets import CannotUnseal, Keyring
from landline.chassis.streams import AnyRedis
from landline.chassis.token_verifier import KEYS_HASH, TOKEN_LIFE_S
from landline.contracts import streams
from landline.contracts.envelope import seal
from landline.contracts.provisioning.events import SigningKeysRotated
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.accounts.tokens import SigningKey

ROTATE_AFTER = timedelta(days=90)
KEEP_RETIRED = timedelta(seconds=2 * TOKEN_LIFE_S)
REPUBLISH_EVERY_S = 5

log = get_logger(__name__)

_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('landline signing keys', 0))"
_NEWEST = (
    "select kid, private_sealed, created_at < now() - cast(:age as interval) as due from signing_keys"
    " where retired_at is null order by created_at desc limit 1"
)
_PUBLISHED = (
    "select kid, public_base64 from signing_keys"
    " where retired_at is null or retired_at > now() - cast(:keep as interval) order by created_at"
)


class SigningKeys:
    """Makes, rotates, publishes and hands out the signing keys. One per process."""

    def __init__(self, db: Database, redis: AnyRedis, keyring: Keyring) -> None:
        self._db, self._redis, self._keyring = db, redis, keyring
        self._known: dict[str, SigningKey] = {}

    async def ensure(self, rotate_after: timedelta = ROTATE_AFTER) -> None:
        """There is a key that can sign, it is not too old, and Redis holds every public half. Idempotent."""
        async with self._db.transaction(Scope.system()) as tx:
            await tx.execute(text(_ONE_AT_A_TIME))
            newest = (await tx.execute(text(_NEWEST), {"age": rotate_after})).first()
            if newest is None or newest.due or self._open(newest.kid, newest.private_sealed) is None:
                await self._make(tx)
            await self._publish(tx)

    async def rotate(self, *, withdraw: bool = False) -> str:
        """Make a new key now; its kid. `withdraw`: the old ones are trusted no more, because one leaked."""
        async with self._db.transaction(Scope.system()) as tx:
            await tx.execute(text(_ONE_AT_A_TIME))
            if withdraw:
                await tx.execute(text("delete from signing_keys"))
            await self._make(tx)
            await self._publish(tx)
            return str((await tx.execute(text(_NEWEST), {"age": ROTATE_AFTER})).one().kid)

    async def current(self, tx: AsyncConnection) -> SigningKey:
        """The key to sign with, as committed; `tx` in system scope."""
        row = (await tx.execute(text(_NEWEST), {"age": ROTATE_AFTER})).one()
        key = self._open(row.kid, row.private_sealed)
        if key is None:
            raise CannotUnseal("the signing key was sealed with another LANDLINE_SECRETS_KEY")
        return key

    async def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys as a JWK set (RFC 7517, RFC 8037)."""
        async with self._db.transaction(Scope.system()) as tx:
            rows = (await tx.execute(text(_PUBLISHED), {"keep": KEEP_RETIRED})).all()
        return {"keys": [_jwk(row.kid, row.public_base64) for row in rows]}

    async def keep(self, stop: asyncio.Event) -> None:
        """Background work: rotate when due, and put back what a Redis that lost its data no longer has."""
        await rounds("signing keys", self.ensure, stop, every_s=REPUBLISH_EVERY_S)

    async def _make(self, tx: AsyncConnection) -> None:
        private, kid = Ed25519PrivateKey.generate(), uuid4().hex[:16]
        raw, public = private.private_bytes_raw(), private.public_key().public_bytes_raw()
        await tx.execute(text("update signing_keys set retired_at = now() where retired_at is null"))
        await tx.execute(
            text(
                "insert into signing_keys (kid, private_sealed, public_base64, created_at)"
                " values (:kid, :sealed, :public, clock_timestamp())"
            ),
            {
                "kid": kid,
                "sealed": self._keyring.seal(base64.b64encode(raw).decode(), f"signing-key:{kid}"),
                "public": base64.b64encode(public).decode(),
            },
        )
        log.info("a new signing key was made", kid=kid)

    async def _publish(self, tx: AsyncConnection) -> None:
        rows = (await tx.execute(text(_PUBLISHED), {"keep": KEEP_RETIRED})).all()
        wanted: dict[Any, Any] = {row.kid: row.public_base64 for row in rows}
        found = await self._redis.hkeys(KEYS_HASH)
        await self._redis.hset(KEYS_HASH, mapping=wanted)
        gone = [kid for kid in found if _text(kid) not in wanted]
        if gone:
            await self._redis.hdel(KEYS_HASH, *gone)
        if gone or set(wanted) - {_text(kid) for kid in found}:
            event = SigningKeysRotated(kids=list(wanted))
            sealed = seal(event, producer="provisioning", now_ms=time.time_ns() // 1_000_000)
            await outbox.add(tx, streams.CONFIG, sealed)

    def _open(self, kid: str, sealed: str) -> SigningKey | None:
        """The private key; None when it was sealed with a key the operator no longer has."""
        if kid not in self._known:
            try:
                raw = base64.b64decode(self._keyring.unseal(sealed, f"signing-key:{kid}"))
            except CannotUnseal:
                return None
            self._known = {kid: SigningKey(kid, Ed25519PrivateKey.from_private_bytes(raw))}
        return self._known[kid]


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw


def _jwk(kid: str, public_base64: str) -> dict[str, str]:
    x = base64.urlsafe_b64encode(base64.b64decode(public_base64)).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x}
