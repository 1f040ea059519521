"""What people do with their own account: look at it, change the password, a second factor.

All but looking asks for the password again (throttled like a login), in a session of one's own: neither a
token left behind nor an impersonation is enough to take an account over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from landline.chassis.auth import Principal
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import Conflict, FieldError, Forbidden, InvalidInput
from landline.chassis.resources import Actor
from sqlalchemy import text

from provisioning.accounts import sessions, throttle
from provisioning.accounts.identities import Admin, note
from provisioning.accounts.login import Logins, NoSession
from provisioning.accounts.passwords import Passwords, password_faults
from provisioning.accounts.second_factor import SecondFactor
from provisioning.accounts.sessions import Origin

_NEW_PASSWORD = text(
    "update admins set password_hash = :hash, version = version + 1, updated_at = now() where id = :id"
)


class OwnAccount:
    """The use cases of whoever is logged in. Each opens its own transactions, in system scope."""

    def __init__(self, logins: Logins, db: Database, passwords: Passwords, factor: SecondFactor) -> None:
        self._logins, self._db, self._passwords, self._factor = logins, db, passwords, factor

    async def me(self, principal: Principal) -> dict[str, Any]:
        """Who the caller is, and as whom it acts."""
        async with self._db.transaction(Scope.system()) as tx:
            _, admin = await self._logins.live(tx, principal)
        return {
            "admin_id": str(admin.id),
            "username": admin.username,
            "name": admin.name,
            "email": admin.email,
            "timezone": admin.timezone,
            "level": principal.level,
            "brand_id": principal.brand_id,
            "client_id": principal.client_id,
            "restricted": admin.restricted,
            "rights": admin.rights if admin.restricted else None,
            "can_impersonate": admin.can_impersonate,
            "impersonator_id": principal.impersonator_id,
            "otp_enabled": admin.otp_enabled,
        }

    async def change_password(self, actor: Actor, origin: Origin, current: str, new: str) -> None:
        """Set the caller's own password; all its other sessions end. Needs the current one, throttled too."""
        async with self.verified(actor.principal, origin, current) as admin:
            if faults := password_faults(new, admin.username):
                raise InvalidInput([FieldError("new_password", code, message) for code, message in faults])
            if new == current:
                raise InvalidInput(
                    [FieldError("new_password", "unchanged", "must differ from the current one")]
                )
            new_hash = await self._passwords.hash(new)
        async with self._db.transaction(Scope.system()) as tx:
            session, now = await self._logins.live(tx, actor.principal)
            if now.password_hash != admin.password_hash:
                raise Conflict("changed_meanwhile", "the password was changed meanwhile")
            await tx.execute(_NEW_PASSWORD, {"id": admin.id, "hash": new_hash})
            await sessions.revoke_admin(tx, str(admin.id), "password changed", str(session.root_id))
            await note(tx, actor, "admins", str(admin.id), "change_password")

    async def begin_otp(self, principal: Principal, origin: Origin, password: str) -> dict[str, Any]:
        """Secret, address and recovery codes of a second factor, shown once."""
        async with self.verified(principal, origin, password) as admin:
            return (await self._factor.begin(admin))._asdict()

    async def confirm_otp(self, actor: Actor, origin: Origin, password: str, otp: str) -> None:
        """Put the second factor in force."""
        async with self.verified(actor.principal, origin, password) as admin:
            await self._factor.confirm(admin, otp)
            await self._note(actor, "enable_otp")

    async def disable_otp(self, actor: Actor, origin: Origin, password: str, otp: str) -> None:
        """Remove the second factor."""
        async with self.verified(actor.principal, origin, password) as admin:
            await self._factor.disable(admin, otp)
            await self._note(actor, "disable_otp")

    async def _note(self, actor: Actor, action: str) -> None:
        async with self._db.transaction(Scope.system()) as tx:
            await note(tx, actor, "admins", str(actor.principal.admin_id), action)

    @asynccontextmanager
    async def verified(self, principal: Principal, origin: Origin, password: str) -> AsyncIterator[Admin]:
        """The caller's own admin row, once it has shown its password again."""
        if principal.sid is None or principal.impersonator_id is not None:
            raise NoSession("only in your own session, not while impersonating")
        async with self._logins.attempt(principal.username, origin) as admin:
            checked = await self._passwords.check(password, admin.password_hash if admin else None)
            if admin is None or not checked.right or str(admin.id) != principal.admin_id:
                raise Forbidden("the current password is wrong", code="wrong_password")
        async with self._db.transaction(Scope.system()) as tx:
            await throttle.forgive(tx, *self._logins.subjects(principal.username, origin))
        yield admin
