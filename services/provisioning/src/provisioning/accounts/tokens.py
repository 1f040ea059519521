"""Access tokens (JWT, EdDSA, ten minutes) and refresh tokens (random, thirty days, used once)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from landline.chassis.token_verifier import ISSUER, TOKEN_LIFE_S

SESSION_LIFE_S = 30 * 86_400
REFRESH_PREFIX = "llr_"
MAX_REFRESH_CHARS = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a session acts as: an admin at its own level, or one level deeper by impersonation."""

    admin_id: str
    username: str
    level: Literal["platform", "brand", "client"]
    brand_id: str | None
    client_id: str | None
    impersonator_id: str | None
    rights: dict[str, str] | None


class SigningKey(NamedTuple):
    """A private key and the name by which verifiers find its public half."""

    kid: str
    private: Ed25519PrivateKey


def access_token(key: SigningKey, identity: Identity, sid: str, now_s: int) -> str:
    """A signed JWT; its claims are what `chassis.token_verifier` reads (decision 0007)."""
    claims = {
        "iss": ISSUER,
        "sub": identity.admin_id,
        "sid": sid,
        "lvl": identity.level,
        "bid": identity.brand_id,
        "cid": identity.client_id,
        "name": identity.username,
        "imp": identity.impersonator_id,
        "rights": identity.rights,
        "iat": now_s,
        "exp": now_s + TOKEN_LIFE_S,
    }
    return jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.kid})


def new_refresh_token() -> str:
    """256 random bits; only its hash is stored."""
    return REFRESH_PREFIX + secrets.token_urlsafe(32)


def refresh_hash(token: str) -> bytes:
    """What is stored and looked up instead of a refresh token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
