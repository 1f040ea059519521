"""A process that has just started knows no signing key: what its first requests meet."""

from __future__ import annotations

import asyncio
import base64
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from landline.chassis.problems import Unauthorized, Unavailable
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from landline.chassis.token_verifier import KEYS_HASH, TokenVerifier
from redis.asyncio import Redis

KEY = Ed25519PrivateKey.generate()


def token(kid: str = "cold") -> str:
    """A valid access token."""
    now = int(time.time())
    claims = {"iss": "landline", "sub": "a", "sid": "s", "lvl": "platform", "iat": now, "exp": now + 600}
    return jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": kid})


async def test_requests_that_come_together_all_wait_for_the_keys(settings: Settings, redis: Redis) -> None:
    """After a restart a portal asks for ten things at once: nine 401s would log its user out."""
    await redis.hset(KEYS_HASH, "cold", base64.b64encode(KEY.public_key().public_bytes_raw()).decode())
    verifier = TokenVerifier(settings, redis)
    await verifier._read_on()  # as its tail does at once
    found = await asyncio.gather(*(verifier.verify(token()) for _ in range(10)))
    assert {principal.level for principal in found} == {"platform"}
    with pytest.raises(Unauthorized):
        await verifier.verify(token(kid="of nobody"))


async def test_a_token_is_not_refused_because_redis_is_away(settings: Settings) -> None:
    """401 says: log in again. Whoever must only wait gets 503, the second time too."""
    away = await connect(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"}))
    verifier = TokenVerifier(settings, away)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await verifier.verify(token())
    await away.aclose()


async def test_a_redis_that_has_lost_all_keys_says_wait_not_log_in_again(
    settings: Settings, redis: Redis
) -> None:
    """Provisioning puts them back within seconds: until then nobody's token is known to be bad."""
    await redis.delete(KEYS_HASH)
    verifier = TokenVerifier(settings, redis)
    with pytest.raises(Unavailable):
        await verifier.verify(token())
