"""Who asks: tokens are verified in every process, without a call to provisioning (contracts section 2).

People carry a JWT (EdDSA, 10 minutes) that provisioning signed; public keys are read from the Redis hash
`landline:signing-keys`, revoked sessions by tailing `landline:config`. Services carry the internal key.
Integrators' and edges' keys are random, so SHA-256 suffices: `key_parts` gives prefix and hash to look up.
Real time is used throughout, never the test clock: a moved clock must not revive a dead token.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Annotated, Any, Literal, NamedTuple, cast

import jwt
import redis.exceptions
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from landline.chassis.problems import Forbidden, Unauthorized, Unavailable
from landline.chassis.settings import Settings
from landline.chassis.streams import AnyRedis
from landline.chassis.surroundings import Backoff, is_surroundings
from landline.contracts import streams
from landline.contracts.envelope import FIELD, unseal
from landline.contracts.provisioning.events import SessionRevoked

KEYS_HASH = "landline:signing-keys"
ISSUER = "landline"
TOKEN_LIFE_S = 600
STALE_TAIL_S = 60.0
_KEY = re.compile(r"llk_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{43}")

Level = Literal["platform", "brand", "client", "system"]


@dataclass(frozen=True)
class Principal:
    """Who asks, and for whom. `rights` None: everything its level may do; else resource -> letters of "crud".

    `impersonator_id` is the admin behind it when an operator acts as a brand or client below.
    """

    level: Level
    brand_id: str | None = None
    client_id: str | None = None
    admin_id: str | None = None
    username: str = ""
    sid: str | None = None
    impersonator_id: str | None = None
    rights: Mapping[str, str] | None = None

    @property
    def identity(self) -> str:
        """Who this is, for idempotency keys: admin, impersonation and tenant together."""
        return "|".join(
            str(p) for p in (self.level, self.admin_id, self.username, self.brand_id, self.client_id)
        )

    def require(self, resource: str, action: Literal["c", "r", "u", "d"]) -> None:
        """Forbidden, unless a restricted admin was given this right on this resource."""
        if self.rights is not None and action not in self.rights.get(resource, "r"):
            raise Forbidden(f"no right to do this on {resource}", code="no_right")


SYSTEM = Principal("system", username="system")


class KeyParts(NamedTuple):
    """What is looked up (`prefix`) and compared (`sha256`, hex) of a random key."""

    prefix: str
    sha256: str


def new_key() -> str:
    """A new key for an edge or an integrator: `llk_<prefix8>_<256 random bits>`. Show it once."""
    prefix = secrets.token_hex(4)
    return f"llk_{prefix}_{secrets.token_urlsafe(32)}"


def key_parts(key: str) -> KeyParts | None:
    """Prefix and hash of a key, or None when the text has not the form of one."""
    match = _KEY.fullmatch(key)
    return KeyParts(match[1], hashlib.sha256(key.encode()).hexdigest()) if match else None


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
        self._heard_at = float("-inf")

    async def verify(self, token: str) -> Principal:
        """The principal of a token. Unauthorized, or Unavailable when revocations are not known."""
        if self._internal and compare_digest(token.encode(), self._internal.encode()):
            return SYSTEM
        claims = await self._claims(token)
        if time.monotonic() - self._heard_at > STALE_TAIL_S:
            raise Unavailable("revoked sessions are not known at the moment", code="revocations_unknown")
        if claims["sid"] in self._revoked:
            raise Unauthorized("this session has been ended", code="session_revoked")
        return _principal(claims)

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
        position, backoff = f"{int((time.time() - TOKEN_LIFE_S) * 1000)}-0".encode(), Backoff()
        while not stop.is_set():
            try:
                position = await self._read_on(position)
                backoff.reset()
            except Exception as error:
                if not is_surroundings(error):
                    raise
                await asyncio.sleep(backoff.next_s())

    async def _read_on(self, position: bytes) -> bytes:
        # RESP2, undecoded (chassis.redis): a list of (stream, entries).
        answer: Any = await self._redis.xread({streams.CONFIG: position}, count=1000, block=1000)
        for _stream, entries in answer or ():
            for entry_id, entry in entries:
                position = entry_id
                raw = entry.get(FIELD, b"")
                if b"session.revoked" in raw:
                    self._revoked[unseal(raw).read(SessionRevoked).sid] = time.monotonic()
        self._heard_at = time.monotonic()
        self._forget()
        return bytes(position)

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


_bearer = HTTPBearer(auto_error=False, description="an access token of POST /auth/login, or an API key")


async def current_principal(
    request: Request, _documented: Annotated[Any, Depends(_bearer)] = None
) -> Principal:
    """FastAPI dependency: who asks. Needs `app.state.verifier`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized()
    verifier: TokenVerifier = request.app.state.verifier
    return await verifier.verify(token.strip())


Caller = Annotated[Principal, Depends(current_principal)]
"""Parameter type of a route that needs a token: `async def route(caller: Caller)`."""


async def only_system(caller: Caller) -> Principal:
    """FastAPI dependency: service to service only; to anyone else the address does not exist."""
    if caller.level != "system":
        raise Forbidden("for services of the platform only")
    return caller
