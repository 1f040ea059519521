"""Use cases of people who log in: login, refresh, logout, impersonate. What they do then: `own_account`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from landline.chassis.auth import Principal
from landline.chassis.postgres import Database, Scope
from landline.chassis.principal import level_of
from landline.chassis.problems import Forbidden, NotFound, Unauthorized
from landline.chassis.resources import Actor
from landline.chassis.settings import Settings
from landline.chassis.token_verifier import TOKEN_LIFE_S
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.accounts import sessions, throttle
from provisioning.accounts.identities import (
    Admin,
    acting_identity,
    admin_named,
    admin_of,
    identity_of,
    note,
    own_identity,
    place_of,
    principal_of,
)
from provisioning.accounts.passwords import Passwords
from provisioning.accounts.second_factor import SecondFactor
from provisioning.accounts.sessions import Origin
from provisioning.accounts.signing_keys import SigningKeys
from provisioning.accounts.tokens import Identity, access_token

_SAME = text("select 1 from admins where id = :id and active and password_hash = :hash for share")
_SESSION = text("select * from sessions where id = :id and revoked_at is null and expires_at > now()")
_SET_HASH = text("update admins set password_hash = :hash where id = :id")


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


class Logins:
    """The use cases, over one service's database. Each opens its own transactions, in system scope."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        keys: SigningKeys,
        passwords: Passwords,
        factor: SecondFactor,
    ) -> None:
        self._settings, self._db, self._keys = settings, db, keys
        self._passwords, self._factor = passwords, factor

    async def login(self, username: str, password: str, otp: str | None, origin: Origin) -> Tokens:
        """A session for who knows the password and the second factor. TooManyRequests, InvalidCredentials."""
        async with self.attempt(username, origin) as admin:
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
            await throttle.forgive(tx, *self.subjects(username, origin))
            return await self._open(tx, own_identity(admin), origin, "login")

    async def refresh(self, refresh_token: str) -> Tokens:
        """The next pair of tokens. InvalidRefreshToken; a token used twice ends its session."""
        async with self._db.transaction(Scope.system()) as tx:
            refreshed = await sessions.rotate(tx, refresh_token)
            session = refreshed.session
            identity = await identity_of(tx, session) if session is not None else None
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
            await note(tx, actor, "sessions", sid, "logout")

    async def impersonate(
        self, principal: Principal, origin: Origin, brand_id: UUID | None, client_id: UUID | None
    ) -> Tokens:
        """A session that acts as a brand or client below the caller. NotFound outside the caller's scope."""
        async with self._db.transaction(Scope.of(principal)) as tx:
            place = await place_of(tx, brand_id, client_id)
        if place is None or (brand_id is not None and client_id is not None and place.brand_id != brand_id):
            raise NotFound("no such brand or client")
        level = level_of(place.brand_id, place.client_id)
        if level == principal.level or principal.level == "client":
            raise Forbidden("only downwards: a brand or client below you", code="not_below")
        async with self._db.transaction(Scope.system()) as tx:
            session, admin = await self.live(tx, principal)
            if not admin.can_impersonate:
                raise Forbidden("this account may not impersonate", code="may_not_impersonate")
            identity = acting_identity(admin, place.brand_id, place.client_id)
            return await self._open(tx, identity, origin, "impersonate", str(session.root_id))

    @asynccontextmanager
    async def attempt(self, username: str, origin: Origin) -> AsyncIterator[Admin | None]:
        """Count the attempt, committed before anything is checked; then the admin of that name, if any."""
        async with self._db.transaction(Scope.system()) as tx:
            account, addresses = self.subjects(username, origin)
            await throttle.count_attempt(tx, [account, *addresses])
            admin = await admin_named(tx, username)
        yield admin

    def subjects(self, username: str, origin: Origin) -> tuple[throttle.Subject, list[throttle.Subject]]:
        """What an attempt is counted by: the account, and the addresses."""
        return throttle.Subject.account(username), throttle.of_address(self._settings, origin.address)

    async def _open(
        self, tx: AsyncConnection, identity: Identity, origin: Origin, action: str, root_id: str | None = None
    ) -> Tokens:
        opened = await sessions.open_session(tx, identity, origin, root_id)
        key = await self._keys.current(tx)
        principal, now_ms = principal_of(identity, opened.sid), time.time_ns() // 1_000_000
        actor = Actor(principal, self._settings, now_ms, origin.request_id, origin.address, origin.reason)
        await note(tx, actor, "sessions", opened.sid, action)
        token = access_token(key, identity, opened.sid, int(time.time()))
        return Tokens(token, opened.refresh_token)

    async def live(self, tx: AsyncConnection, principal: Principal) -> tuple[Row[Any], Admin]:
        """The caller's session and admin as they are now; the token may be minutes old."""
        if principal.sid is None or principal.admin_id is None:
            raise NoSession("only a person has an account")
        session = (await tx.execute(_SESSION, {"id": UUID(principal.sid)})).first()
        admin = await admin_of(tx, UUID(principal.admin_id))
        if session is None or admin is None or not admin.active:
            raise Unauthorized("this session has been ended", code="session_revoked")
        return session, admin
