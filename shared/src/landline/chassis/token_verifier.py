"""Tokens are verified in every process, without a call to provisioning (contracts section 2).

People carry a JWT (EdDSA, 10 minutes) that provisioning signed; public keys are read from the Redis hash
`landline:signing-keys`, revoked sessions by tailing `landline:config`. Services carry the internal key.
Integrators carry an API key (`chassis.api_keys`), edges a key of the same form that only the edge API takes.
Real time is used throughout, never the test clock: a moved clock must not revive a dead token.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any, cast

import jwt
import redis.exceptions
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from landline.chassis.api_keys import ApiKey, KeyParts, KnownApiKeys, key_parts
from landline.chassis.background import keep_on
from landline.chassis.key_uses import KeyUses
from landline.chassis.logging import get_logger
from landline.chassis.principal import SYSTEM, Principal
from landline.chassis.problems import Unauthorized, Unavailable
from landline.chassis.settings import Settings
from landline.chassis.streams import AnyRedis
from landline.contracts import streams
from landline.contracts.envelope import FIELD, unseal
from landline.contracts.provisioning.events import EntityChanged, SessionRevoked, SigningKeysRotated

KEYS_HASH = "landline:signing-keys"
ISSUER = "landline"
TOKEN_LIFE_S = 600
STALE_TAIL_S = 60.0
_API_KEY_CHANGED = f"{ApiKey.ENTITY}.changed.v1"
_WORDS = (b"session.revoked", b"api_key.changed", b"signing_keys.rotated")

log = get_logger(__name__)


class TokenVerifier:
    """Verifies bearer tokens. `run(stop)` must be running: it keeps the list of revoked sessions."""

    def __init__(self, settings: Settings, redis: AnyRedis) -> None:
        self._redis = redis
        self._internal = settings.internal_key.get_secret_value()
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._keys_read_at = float("-inf")
        self._keys_away = False
        self._reading = asyncio.Lock()
        self._revoked: dict[str, float] = {}
        self._api_keys = KnownApiKeys(redis)
        self.uses = KeyUses(redis)
        self._heard_at = float("-inf")
        self._position = b"0-0"

    async def verify(self, token: str) -> Principal:
        """The principal of a token. Unauthorized, or Unavailable when revocations are not known."""
        if self._internal and compare_digest(token.encode(), self._internal.encode()):
            return SYSTEM
        parts = key_parts(token)
        if parts is not None:
            return await self._of_key(parts)
        claims = await self._claims(token)
        self._need_fresh_tail()
        if claims["sid"] in self._revoked:
            raise Unauthorized("this session has been ended", code="session_revoked")
        return _principal(claims)

    async def _of_key(self, parts: KeyParts) -> Principal:
        self._need_fresh_tail()
        try:
            key = await self._api_keys.find(parts.prefix)
        except (redis.exceptions.RedisError, OSError) as error:
            raise Unavailable("API keys cannot be read at the moment", code="redis_away") from error
        if key is None or not compare_digest(parts.sha256, key.sha256):
            raise Unauthorized()
        if not key.valid_at(time.time()):
            raise Unauthorized("this API key has expired or was revoked", code="key_revoked")
        self.uses.note(key.id)
        return Principal(
            key.level, key.brand_id, key.client_id, username=key.name, rights=key.rights, key_id=key.id
        )

    def _need_fresh_tail(self) -> None:
        if time.monotonic() - self._heard_at > STALE_TAIL_S:
            raise Unavailable("revoked sessions are not known at the moment", code="revocations_unknown")

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            kid = str(jwt.get_unverified_header(token)["kid"])
            key = await self._key(kid)
            return jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                issuer=ISSUER,
                options={"require": ["exp", "iat", "sub", "sid", "lvl"], "verify_aud": False},
                leeway=5,
            )
        except (jwt.InvalidTokenError, KeyError, ValueError) as error:
            raise Unauthorized() from error

    async def _key(self, kid: str) -> Ed25519PublicKey:
        if kid not in self._keys:
            async with self._reading:  # who comes meanwhile waits for the same answer
                if kid not in self._keys:
                    await self._read_keys()
            if kid not in self._keys and (self._keys_away or not self._keys):
                # No key at all: Redis has lost them, and provisioning is about to put them back.
                raise Unavailable("signing keys cannot be read at the moment", code="redis_away")
        return self._keys[kid]

    async def _read_keys(self) -> None:
        # An unknown kid may be a fresh rotation; re-reading at most once a second bounds what forgers cause.
        # A read that failed is tried again soon: Redis may be back.
        if time.monotonic() - self._keys_read_at <= (0.1 if self._keys_away else 1):
            return
        self._keys_read_at = time.monotonic()
        try:
            found = cast("Mapping[bytes, bytes]", await self._redis.hgetall(KEYS_HASH))
        except (redis.exceptions.RedisError, OSError):
            self._keys_away = True
            return
        self._keys_away = False
        self._keys = {
            k.decode(): Ed25519PublicKey.from_public_bytes(base64.b64decode(v)) for k, v in found.items()
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Tail the config stream for revoked sessions, from as far back as a token can be valid."""
        self._position = f"{int((time.time() - TOKEN_LIFE_S) * 1000)}-0".encode()
        await keep_on("revoked sessions", self._follow, stop)

    async def _follow(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._read_on()

    async def _read_on(self) -> None:
        # RESP2, undecoded (chassis.redis): a list of (stream, entries).
        answer: Any = await self._redis.xread({streams.CONFIG: self._position}, count=1000, block=1000)
        for _stream, entries in answer or ():
            for entry_id, entry in entries:
                self._position = bytes(entry_id)
                try:
                    self._hear(entry.get(FIELD, b""))
                except (ValueError, LookupError) as error:  # it tells nothing; those after it do
                    log.error("config event not readable", entry=entry_id.decode(), error=repr(error)[:300])
        self._heard_at = time.monotonic()
        self._forget()
        await self.uses.tell_if_due()

    def _hear(self, raw: bytes) -> None:
        """Three kinds of event concern us; nearly all others are passed over without parsing them.

        The word may also stand in a text that a client wrote: only the type tells.
        """
        if not any(word in raw for word in _WORDS):
            return
        event = unseal(raw)
        if event.type == SessionRevoked.TYPE:
            self._revoked[event.read(SessionRevoked).sid] = time.monotonic()
        elif event.type == _API_KEY_CHANGED:
            self._api_keys.hear(event.read(EntityChanged))
        elif event.type == SigningKeysRotated.TYPE:
            self._keys, self._keys_read_at = {}, float("-inf")  # a withdrawn key must not stay in memory

    def _forget(self) -> None:
        horizon = time.monotonic() - 2 * TOKEN_LIFE_S
        self._revoked = {sid: at for sid, at in self._revoked.items() if at > horizon}

    def missing(self) -> str | None:
        """For readiness: None, or what is missing."""
        stale = time.monotonic() - self._heard_at > STALE_TAIL_S
        return "revoked sessions are not known" if stale else None


def _principal(claims: dict[str, Any]) -> Principal:
    level = claims["lvl"]
    if level not in ("platform", "brand", "client"):
        raise Unauthorized()
    return Principal(
        level=level,
        brand_id=claims.get("bid"),
        client_id=claims.get("cid"),
        admin_id=claims["sub"],
        username=str(claims.get("name", "")),
        sid=claims["sid"],
        impersonator_id=claims.get("imp"),
        rights=claims.get("rights"),
    )
