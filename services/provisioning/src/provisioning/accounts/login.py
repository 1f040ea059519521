"""Use cases of people who log in: login, refresh, logout, impersonate, who am I, change my password."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from landline.chassis.auth import Principal
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import Conflict, FieldError, Forbidden, InvalidInput, NotFound, Unauthorized
from landline.chassis.resources import Actor, audit
from landline.chassis.settings import Settings
from landline.chassis.token_verifier import TOKEN_LIFE_S
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.accounts import sessions, throttle
from provisioning.accounts.password_resets import PasswordResets
from provisioning.accounts.passwords import Passwords, password_faults
from provisioning.accounts.second_factor import SecondFactor
from provisioning.accounts.sessions import Origin
from provisioning.accounts.signing_keys import SigningKeys
from provisioning.accounts.tokens import Identity, access_token

_BY_NAME = text("select * from admins where lower(username) = lower(:username)")
_BY_ID = text("select * from admins where id = :id")
_SAME = text("select 1 from admins where id = :id and active and password_hash = :hash for share")
_SESSION = text("select * from sessions where id = :id and revoked_at is null and expires_at > now()")
_SET_HASH = text("update admins set password_hash = :hash where id = :id")
_NEW_PASSWORD = text(
    "update admins set password_hash = :hash, version = version + 1, updated_at = now() where id = :id"
)
_BRAND = text("select id as brand_id, null as client_id from brands where id = :id")
_CLIENT = text("select brand_id, id as client_id from clients where id = :id")

Admin = Row[Any]


class InvalidCredentials(Unauthorized):
    """Wrong user name, wrong password, or an account that may not log in: never says which."""

    code = "invalid_credentials"


class InvalidRefreshToken(Unauthorized):
    """Unknown, expired, used before, or of a session that has ended."""

    code = "invalid_refresh_token"


class NoSession(Forbidden):
    """Only a person's own session may do this: not a service, not while impersonating."""

    code = "own_session_needed"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client keeps: an access token for `expires_in` seconds, and the token that renews it once."""

    access_token: str
    refresh_token: str
    expires_in: int = TOKEN_LIFE_S
    token_type: str = "Bearer"


class Accounts:
    """The use cases, over one service's database. Each opens its own transactions, in system scope."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        keys: SigningKeys,
        passwords: Passwords,
        factor: SecondFactor,
        resets: PasswordResets,
    ) -> None:
        self._settings, self._db, self._keys = settings, db, keys
        self._passwords, self._factor = passwords, factor
        self.resets = resets

    @property
    def keys(self) -> SigningKeys:
        """The signing keys, for the JWK set."""
        return self._keys

    async def login(self, username: str, password: str, otp: str | None, origin: Origin) -> Tokens:
        """A session for who knows the password and the second factor. TooManyRequests, InvalidCredentials."""
        async with self._attempt(username, origin) as admin:
            checked = await self._passwords.check(password, admin.password_hash if admin else None)
            if admin is None or not checked.right or not admin.active:
                raise InvalidCredentials("wrong user name or password")
            await self._factor.check(admin, otp)
        async with self._db.transaction(Scope.system()) as tx:
            # Between the check and now the account may have been closed or its password changed.
            same = await tx.scalar(_SAME, {"id": admin.id, "hash": admin.password_hash})
            if same is None:
                raise InvalidCredentials("wrong user name or password")
            if checked.new_hash is not None:
                await tx.execute(_SET_HASH, {"id": admin.id, "hash": checked.new_hash})
            await throttle.forgive(tx, *self._subjects(username, origin))
            return await self._open(tx, _own_identity(admin), origin, "login")

    async def refresh(self, refresh_token: str) -> Tokens:
        """The next pair of tokens. InvalidRefreshToken; a token used twice ends its session."""
        async with self._db.transaction(Scope.system()) as tx:
            refreshed = await sessions.rotate(tx, refresh_token)
            session = refreshed.session
            identity = await _identity_of(tx, session) if session is not None else None
            if session is not None and identity is None:
                await sessions.revoke_session(tx, str(session.id), "no longer allowed")
            if session is not None and identity is not None:
                key = await self._keys.current(tx)
                token = access_token(key, identity, str(session.id), int(time.time()))
                return Tokens(token, refreshed.refresh_token)
        raise InvalidRefreshToken("log in again")  # after the commit: what was revoked stays revoked

    async def logout(self, actor: Actor) -> None:
        """End the caller's session, and the impersonations opened from it."""
        sid = actor.principal.sid
        if sid is None:
            raise NoSession("only a person has a session to end")
        async with self._db.transaction(Scope.system()) as tx:
            await sessions.revoke_session(tx, sid, "logout")
            await _record(tx, actor, "sessions", sid, "logout")

    async def impersonate(
        self, principal: Principal, origin: Origin, brand_id: UUID | None, client_id: UUID | None
    ) -> Tokens:
        """A session that acts as a brand or client below the caller. NotFound outside the caller's scope."""
        table, target = (_CLIENT, client_id) if client_id is not None else (_BRAND, brand_id)
        async with self._db.transaction(Scope.of(principal)) as tx:
            place = (await tx.execute(table, {"id": target})).first()
        if place is None or (brand_id is not None and client_id is not None and place.brand_id != brand_id):
            raise NotFound("no such brand or client")
        level = "brand" if place.client_id is None else "client"
        if level == principal.level or principal.level == "client":
            raise Forbidden("only downwards: a brand or client below you", code="not_below")
        async with self._db.transaction(Scope.system()) as tx:
            session, admin = await self._live(tx, principal)
            if not admin.can_impersonate:
                raise Forbidden("this account may not impersonate", code="may_not_impersonate")
            identity = _acting_identity(admin, level, place.brand_id, place.client_id)
            return await self._open(tx, identity, origin, "impersonate", str(session.root_id))

    async def me(self, principal: Principal) -> dict[str, Any]:
        """Who the caller is, and as whom it acts."""
        async with self._db.transaction(Scope.system()) as tx:
            _, admin = await self._live(tx, principal)
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
            session, now = await self._live(tx, actor.principal)
            if now.password_hash != admin.password_hash:
                raise Conflict("changed_meanwhile", "the password was changed meanwhile")
            await tx.execute(_NEW_PASSWORD, {"id": admin.id, "hash": new_hash})
            await sessions.revoke_admin(tx, str(admin.id), "password changed", str(session.root_id))
            await _record(tx, actor, "admins", str(admin.id), "change_password")

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
            await _record(tx, actor, "admins", str(actor.principal.admin_id), action)

    @asynccontextmanager
    async def verified(self, principal: Principal, origin: Origin, password: str) -> AsyncIterator[Admin]:
        """The caller's own admin row, once it has shown its password again."""
        if principal.sid is None or principal.impersonator_id is not None:
            raise NoSession("only in your own session, not while impersonating")
        async with self._attempt(principal.username, origin) as admin:
            checked = await self._passwords.check(password, admin.password_hash if admin else None)
            if admin is None or not checked.right or str(admin.id) != principal.admin_id:
                raise Forbidden("the current password is wrong", code="wrong_password")
        async with self._db.transaction(Scope.system()) as tx:
            await throttle.forgive(tx, *self._subjects(principal.username, origin))
        yield admin

    @asynccontextmanager
    async def _attempt(self, username: str, origin: Origin) -> AsyncIterator[Admin | None]:
        """Count the attempt, committed before anything is checked; then the admin of that name, if any."""
        async with self._db.transaction(Scope.system()) as tx:
            account, addresses = self._subjects(username, origin)
            await throttle.count_attempt(tx, [account, *addresses])
            admin = (await tx.execute(_BY_NAME, {"username": username})).first()
        yield admin

    def _subjects(self, username: str, origin: Origin) -> tuple[throttle.Subject, list[throttle.Subject]]:
        return throttle.Subject.account(username), throttle.of_address(self._settings, origin.address)

    async def _open(
        self, tx: AsyncConnection, identity: Identity, origin: Origin, action: str, root_id: str | None = None
    ) -> Tokens:
        opened = await sessions.open_session(tx, identity, origin, root_id)
        key = await self._keys.current(tx)
        principal = _principal(identity, opened.sid)
        actor = Actor(principal, self._settings, time.time_ns() // 1_000_000, address=origin.address)
        await _record(tx, actor, "sessions", opened.sid, action)
        token = access_token(key, identity, opened.sid, int(time.time()))
        return Tokens(token, opened.refresh_token)

    async def _live(self, tx: AsyncConnection, principal: Principal) -> tuple[Row[Any], Admin]:
        """The caller's session and admin as they are now; the token may be minutes old."""
        if principal.sid is None or principal.admin_id is None:
            raise NoSession("only a person has an account")
        session = (await tx.execute(_SESSION, {"id": UUID(principal.sid)})).first()
        admin = (await tx.execute(_BY_ID, {"id": UUID(principal.admin_id)})).first()
        if session is None or admin is None or not admin.active:
            raise Unauthorized("this session has been ended", code="session_revoked")
        return session, admin


def _own_identity(admin: Admin) -> Identity:
    level = "client" if admin.client_id else "brand" if admin.brand_id else "platform"
    return Identity(
        admin_id=str(admin.id),
        username=admin.username,
        level=level,  # type: ignore[arg-type]
        brand_id=_text(admin.brand_id),
        client_id=_text(admin.client_id),
        impersonator_id=None,
        rights=dict(admin.rights) if admin.restricted else None,
    )


def _acting_identity(admin: Admin, level: str, brand_id: UUID | None, client_id: UUID | None) -> Identity:
    return Identity(
        admin_id=str(admin.id),
        username=admin.username,
        level=level,  # type: ignore[arg-type]
        brand_id=_text(brand_id),
        client_id=_text(client_id),
        impersonator_id=str(admin.id),
        rights=dict(admin.rights) if admin.restricted else None,
    )


async def _identity_of(tx: AsyncConnection, session: Row[Any]) -> Identity | None:
    """As whom a session goes on, by the admin's present rights; None when it may not."""
    admin = (await tx.execute(_BY_ID, {"id": session.admin_id})).first()
    if admin is None or not admin.active:
        return None
    if not session.impersonating:
        return _own_identity(admin)
    statement, target = (
        (_CLIENT, session.acting_client_id) if session.acting_client_id else (_BRAND, session.acting_brand_id)
    )
    there = (await tx.execute(statement, {"id": target})).first()
    if there is None or not admin.can_impersonate:
        return None
    return _acting_identity(admin, session.level, session.acting_brand_id, session.acting_client_id)


def _principal(identity: Identity, sid: str) -> Principal:
    return Principal(
        level=identity.level,
        brand_id=identity.brand_id,
        client_id=identity.client_id,
        admin_id=identity.admin_id,
        username=identity.username,
        sid=sid,
        impersonator_id=identity.impersonator_id,
        rights=identity.rights,
    )


async def _record(tx: AsyncConnection, actor: Actor, resource: str, entity_id: str, action: str) -> None:
    who = actor.principal
    await audit.record(
        tx,
        actor,
        resource=resource,
        entity_id=entity_id,
        action=action,
        changes={},
        brand_id=UUID(who.brand_id) if who.brand_id else None,
        client_id=UUID(who.client_id) if who.client_id else None,
    )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
