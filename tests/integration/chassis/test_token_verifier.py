"""Tokens are verified in every process by itself: forged, foreign, old and revoked ones are refused."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from landline.chassis.principal import SYSTEM, Principal
from landline.chassis.problems import Unauthorized, Unavailable
from landline.chassis.settings import Settings
from landline.chassis.token_verifier import KEYS_HASH, TokenVerifier
from landline.contracts import streams
from landline.contracts.envelope import FIELD, fields, seal
from landline.contracts.provisioning.events import EntityChanged, SessionRevoked, SigningKeysRotated
from redis.asyncio import Redis

from tests.support.waiting import until

OURS, FORGED = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


def token(key: Any = OURS, kid: str = "k1", algorithm: str = "EdDSA", **claims: Any) -> str:
    """An access token as provisioning makes it, with some claims changed (None: left out)."""
    now = int(time.time())
    known = {
        "iss": "landline",
        "sub": "admin-1",
        "sid": "s1",
        "lvl": "brand",
        "bid": "b1",
        "name": "ana",
        "iat": now,
        "exp": now + 600,
    }
    payload = {k: v for k, v in {**known, **claims}.items() if v is not None}
    return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": kid})


@pytest_asyncio.fixture(loop_scope="session")
async def verifier(settings: Settings, redis: Redis) -> AsyncIterator[TokenVerifier]:
    """Running, with our public key known."""
    await redis.flushall()
    await redis.hset(KEYS_HASH, "k1", base64.b64encode(OURS.public_key().public_bytes_raw()).decode())
    verifier, stop = TokenVerifier(settings, redis), asyncio.Event()
    task = asyncio.create_task(verifier.run(stop))

    async def ready() -> bool:
        return verifier.missing() is None

    await until(ready, equals=True)
    yield verifier
    stop.set()
    await task


async def test_a_good_token_names_its_principal(verifier: TokenVerifier) -> None:
    """Level, tenant, session, rights."""
    found = await verifier.verify(token(rights={"clients": "ru"}, imp="root"))
    assert found == Principal("brand", "b1", None, "admin-1", "ana", "s1", "root", {"clients": "ru"})


@pytest.mark.parametrize(
    "bad",
    [
        lambda: token(FORGED),
        lambda: token("secret-of-32-bytes-for-hs256-tests", algorithm="HS256"),
        lambda: token(None, algorithm="none"),
        lambda: token(kid="k2"),
        lambda: token(exp=int(time.time()) - 60),
        lambda: token(iss="someone"),
        lambda: token(sid=None),
        lambda: token(exp=None),
        lambda: token(lvl="system"),
        lambda: token(lvl="root"),
        lambda: token()[:-4] + "AAAA",
        lambda: "nonsense",
        lambda: "a.b.c",
        lambda: "ñ" * 50,
        lambda: "",
    ],
    ids=range(15),
)
async def test_a_bad_token_is_refused(verifier: TokenVerifier, bad: Any) -> None:
    """Every way to be forged, foreign, old or incomplete."""
    with pytest.raises(Unauthorized):
        await verifier.verify(bad())


def named(name: str) -> EntityChanged:
    return EntityChanged(entity="client", entity_id="c1", entity_version=1, data={"name": name})


@pytest.mark.parametrize(
    "entry",
    [
        fields(seal(named(name), producer="provisioning", now_ms=0))
        for name in ("session.revoked", "api_key.changed", "signing_keys.rotated")
    ]
    + [{FIELD: b"session.revoked"}, {FIELD: b'{"type": "session.revoked.v1"'}, {b"no": b"event"}],
)
async def test_no_entry_of_the_config_stream_makes_it_deaf(
    verifier: TokenVerifier, redis: Redis, entry: dict[Any, Any]
) -> None:
    """A client that calls itself "session.revoked" would lock everybody out of the whole platform."""
    await redis.xadd(streams.CONFIG, entry)
    event = seal(SessionRevoked(sid="s9"), producer="provisioning", now_ms=time.time_ns() // 10**6)
    await redis.xadd(streams.CONFIG, fields(event))

    async def refused() -> bool:
        try:
            await verifier.verify(token(sid="s9"))
        except Unauthorized:
            return True
        return False

    await until(refused, equals=True, within_s=5)


async def test_a_revoked_session_is_refused_within_moments(verifier: TokenVerifier, redis: Redis) -> None:
    """A log-out must not wait for the token to expire."""
    good = token(sid="leaving")
    assert (await verifier.verify(good)).sid == "leaving"
    event = seal(SessionRevoked(sid="leaving"), producer="provisioning", now_ms=0)
    await redis.xadd(streams.CONFIG, fields(event))

    async def refused() -> bool:
        try:
            await verifier.verify(good)
        except Unauthorized as problem:
            return problem.code == "session_revoked"
        return False

    await until(refused, equals=True)
    assert await verifier.verify(token(sid="staying"))


async def test_a_rotated_key_is_found_without_a_restart(
    verifier: TokenVerifier, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked up again at most once a second, so that forged kids cost nothing."""
    fresh = Ed25519PrivateKey.generate()
    with pytest.raises(Unauthorized):
        await verifier.verify(token(fresh, kid="k9"))
    await redis.hset(KEYS_HASH, "k9", base64.b64encode(fresh.public_key().public_bytes_raw()).decode())
    monkeypatch.setattr(verifier, "_keys_read_at", float("-inf"))
    assert await verifier.verify(token(fresh, kid="k9"))


async def test_people_are_refused_while_revocations_are_unknown(
    settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail closed for people; services go on."""
    await redis.hset(KEYS_HASH, "k1", base64.b64encode(OURS.public_key().public_bytes_raw()).decode())
    deaf = TokenVerifier(settings, redis)
    with pytest.raises(Unavailable):
        await deaf.verify(token())
    assert deaf.missing()
    assert await deaf.verify(settings.internal_key.get_secret_value()) == SYSTEM
    with pytest.raises(Unauthorized):
        await deaf.verify(settings.internal_key.get_secret_value() + "x")


async def test_a_withdrawn_signing_key_is_trusted_by_no_process_any_more(
    verifier: TokenVerifier, redis: Redis
) -> None:
    """Keys are kept in memory: without the event a leaked one would be good until the next restart."""
    good = token()
    assert await verifier.verify(good)
    await redis.hdel(KEYS_HASH, "k1")
    await redis.hset(KEYS_HASH, "k7", base64.b64encode(FORGED.public_key().public_bytes_raw()).decode())
    event = seal(SigningKeysRotated(kids=["k7"]), producer="provisioning", now_ms=0)
    await redis.xadd(streams.CONFIG, fields(event))

    async def refused() -> bool:
        try:
            await verifier.verify(good)
        except Unauthorized:
            return True
        return False

    await until(refused, equals=True)
