"""The second factor: time-based codes (RFC 6238), each valid once, and recovery codes for a lost device."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from typing import Any, NamedTuple

import pyotp
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import Conflict, Forbidden, Unauthorized
from landline.chassis.secrets import Keyring
from sqlalchemy import Row, text

STEP_S = 30
RECOVERY_CODES = 10
ISSUER_NAME = "Landline"

# The step and the spent code are taken by a conditional update: of two logins with one code, one gets in.
_SPEND_STEP = text("update admins set otp_last_step = :step where id = :id and otp_last_step < :step")
_SPEND_CODE = text(
    "update admins set recovery_codes = recovery_codes - cast(:code as text)"
    " where id = :id and recovery_codes @> cast(:holds as jsonb)"
)
_BEGIN = text(
    "update admins set otp_secret = :secret, recovery_codes = cast(:codes as jsonb)"
    " where id = :id and not otp_enabled"
)
_ENABLE = text("update admins set otp_enabled = true where id = :id and otp_secret is not null")
_DISABLE = text(
    "update admins set otp_enabled = false, otp_secret = null, recovery_codes = '[]' where id = :id"
)


class Enrolment(NamedTuple):
    """Shown once: the secret as base32 and as `otpauth://` address, and the recovery codes."""

    secret: str
    uri: str
    recovery_codes: list[str]


class SecondFactor:
    """Enrols, checks and removes second factors."""

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self._db, self._keyring = db, keyring

    async def check(self, admin: Row[Any], otp: str | None) -> None:
        """Pass when there is none, or the code is good; else Unauthorized `otp_required` or `otp_invalid`."""
        if not admin.otp_enabled:
            return
        if not otp:
            raise Unauthorized("a one-time code is needed too", code="otp_required")
        if not await self._spend(admin, otp):
            raise Unauthorized("the one-time code is wrong or was used", code="otp_invalid")

    async def begin(self, admin: Row[Any]) -> Enrolment:
        """A new secret, not in force until `confirm`. Conflict when a second factor is in force."""
        secret, codes = pyotp.random_base32(), [secrets.token_hex(5) for _ in range(RECOVERY_CODES)]
        values = {
            "id": admin.id,
            "secret": self._keyring.seal(secret, f"otp:{admin.id}"),
            "codes": json.dumps([_hash(code) for code in codes]),
        }
        async with self._db.transaction(Scope.system()) as tx:
            if (await tx.execute(_BEGIN, values)).rowcount == 0:
                raise Conflict("otp_enabled", "a second factor is in force: disable it first")
        uri = pyotp.TOTP(secret).provisioning_uri(name=admin.username, issuer_name=ISSUER_NAME)
        return Enrolment(secret, uri, codes)

    async def confirm(self, admin: Row[Any], otp: str) -> None:
        """Put it in force once a code shows that the secret arrived. Forbidden `otp_invalid` otherwise."""
        if admin.otp_secret is None or not await self._spend(admin, otp):
            raise Forbidden("the one-time code is wrong", code="otp_invalid")
        async with self._db.transaction(Scope.system()) as tx:
            await tx.execute(_ENABLE, {"id": admin.id})

    async def disable(self, admin: Row[Any], otp: str) -> None:
        """Remove it, for who has a code. Forbidden `otp_invalid` otherwise."""
        if admin.otp_enabled and not await self._spend(admin, otp):
            raise Forbidden("the one-time code is wrong", code="otp_invalid")
        async with self._db.transaction(Scope.system()) as tx:
            await tx.execute(_DISABLE, {"id": admin.id})

    async def _spend(self, admin: Row[Any], otp: str) -> bool:
        statement, values = _SPEND_CODE, {"code": _hash(otp), "holds": json.dumps([_hash(otp)])}
        step = matching_step(self._keyring.unseal(admin.otp_secret, f"otp:{admin.id}"), otp, time.time())
        if step is not None:
            statement, values = _SPEND_STEP, {"step": step}  # type: ignore[dict-item]
        async with self._db.transaction(Scope.system()) as tx:
            return (await tx.execute(statement, {"id": admin.id, **values})).rowcount == 1


def matching_step(secret: str, otp: str, now_s: float) -> int | None:
    """The 30-second step that a code belongs to: this one or a neighbour (clocks differ), else None."""
    now, totp = int(now_s // STEP_S), pyotp.TOTP(secret)
    steps = [s for s in (now, now - 1, now + 1) if pyotp.utils.strings_equal(totp.generate_otp(s), otp)]
    return steps[0] if steps else None


def _hash(code: str) -> str:
    return hashlib.sha256(f"recovery\0{code.strip().lower()}".encode("utf-8", "replace")).hexdigest()
