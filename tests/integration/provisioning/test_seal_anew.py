"""The key that seals secrets is changed: everything stays readable, and the old key may go."""

from __future__ import annotations

import pytest
from landline.chassis.postgres import Database, Scope
from landline.chassis.secrets import CannotUnseal, Keyring
from landline.chassis.settings import Settings
from landline.kernel.ids import uuid7
from provisioning.accounts.seal_anew import SEALED, seal_anew
from sqlalchemy import text

_ADMIN = text("""
insert into admins (id, version, created_at, updated_at, username, name, active, restricted, can_impersonate,
                    rights, password_hash, otp_secret)
values (:id, 1, now(), now(), 'seal', 'Seal', true, false, false, '{}', 'x', :secret)
""")
_KEY = "select private_sealed from signing_keys where kid = :kid"
OLD, NEW = b"o" * 32, b"n" * 32


async def test_what_the_old_key_sealed_is_sealed_by_the_new_one(settings: Settings) -> None:
    """A table that is forgotten is unreadable the day the old key goes."""
    db = Database(settings, "provisioning")
    await db.open()
    admin, kid = uuid7(), "kid-of-tests"
    old, both, new = Keyring([OLD]), Keyring([NEW, OLD]), Keyring([NEW])
    try:
        async with db.transaction(Scope.system()) as tx:
            await tx.execute(
                _ADMIN,
                {"id": admin, "secret": old.seal("otp", f"otp:{admin}")},
            )
            for name in (kid, "kid-lost"):
                ring = old if name == kid else Keyring([b"x" * 32])
                await tx.execute(
                    text(
                        "insert into signing_keys (kid, private_sealed, public_base64, created_at)"
                        " values (:kid, :sealed, '', now())"
                    ),
                    {"kid": name, "sealed": ring.seal(name, f"signing-key:{name}")},
                )
        outcome = await seal_anew(db, both)
        assert (outcome.sealed, outcome.lost) == (2, ["signing_keys kid-lost"])
        assert (await seal_anew(db, both)).sealed == 0, "again changes nothing"
        async with db.transaction(Scope.system()) as tx:
            otp = await tx.scalar(text("select otp_secret from admins where id = :id"), {"id": admin})
            key = await tx.scalar(text(_KEY), {"kid": kid})
        assert new.unseal(otp, f"otp:{admin}") == "otp"
        assert new.unseal(key, f"signing-key:{kid}") == kid
        with pytest.raises(CannotUnseal):
            old.unseal(otp, f"otp:{admin}")
    finally:
        await db.close()


async def test_every_sealed_column_is_known(settings: Settings) -> None:
    """Columns that hold sealed values are named so; a new one must be in the list."""
    db = Database(settings, "provisioning")
    await db.open()
    try:
        async with db.transaction(Scope.system()) as tx:
            rows = await tx.execute(
                text(
                    "select table_name, column_name from information_schema.columns"
                    " where table_schema = 'provisioning' and column_name ~ '(ha1|sealed|otp_secret|_secret)'"
                )
            )
            found = {(row.table_name, row.column_name) for row in rows}
    finally:
        await db.close()
    assert found == {(kind.table, column) for kind in SEALED for column in kind.columns}
