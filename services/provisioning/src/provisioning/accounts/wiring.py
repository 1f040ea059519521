"""What provisioning's composition root needs of accounts: start, background work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from landline.chassis.background import rounds
from landline.chassis.logging import get_logger
from landline.chassis.postgres import Database, Scope
from landline.chassis.secrets import Keyring
from landline.chassis.settings import Settings
from landline.chassis.streams import AnyRedis
from landline.kernel.ids import uuid7
from sqlalchemy import text

from provisioning.accounts import password_resets, sessions, throttle
from provisioning.accounts.key_book import KeyBook
from provisioning.accounts.key_uses import KeyUseBook
from provisioning.accounts.login import Logins
from provisioning.accounts.own_account import OwnAccount
from provisioning.accounts.password_resets import PasswordResets
from provisioning.accounts.passwords import Passwords
from provisioning.accounts.second_factor import SecondFactor
from provisioning.accounts.signing_keys import SigningKeys

FIRST_ADMIN = "admin"
PURGE_EVERY_S = 3600.0

log = get_logger(__name__)

_EXISTS = text("select 1 from admins where lower(username) = :username")
_FIRST = text(
    "insert into admins (id, version, created_at, updated_at, username, name, active, restricted,"
    " can_impersonate, rights, password_hash)"
    " values (:id, 1, now(), now(), :username, 'Platform operator', true, false, true, '{}', :hash)"
    " on conflict do nothing"
)


@dataclass(frozen=True)
class Accounts:
    """The use cases of people who log in, as the routes find them: `app.state.accounts`."""

    logins: Logins
    own: OwnAccount
    resets: PasswordResets
    keys: SigningKeys


async def open_accounts(settings: Settings, db: Database, redis: AnyRedis) -> Accounts:
    """At the start of a web process: a signing key, the first admin, the use cases. Idempotent."""
    keyring = Keyring.of(settings)
    keys, passwords = SigningKeys(db, redis, keyring), Passwords()
    await keys.ensure()
    await bootstrap_admin(settings, db, passwords)
    factor = SecondFactor(db, keyring)
    logins = Logins(settings, db, keys, passwords, factor)
    own = OwnAccount(logins, db, passwords, factor)
    return Accounts(logins, own, PasswordResets(settings, db, passwords, keyring), keys)


async def bootstrap_admin(settings: Settings, db: Database, passwords: Passwords) -> None:
    """The first platform admin, with LANDLINE_ADMIN_PASSWORD; one that exists keeps its own password."""
    given = settings.admin_password.get_secret_value()
    async with db.transaction(Scope.system()) as tx:
        if await tx.scalar(_EXISTS, {"username": FIRST_ADMIN}):
            return
    if not given:
        log.warning("there is no admin yet: set LANDLINE_ADMIN_PASSWORD and restart")
        return
    values = {"id": uuid7(), "username": FIRST_ADMIN, "hash": await passwords.hash(given)}
    async with db.transaction(Scope.system()) as tx:
        await tx.execute(_FIRST, values)


async def accounts_work(settings: Settings, db: Database, redis: AnyRedis, stop: asyncio.Event) -> None:
    """Background work: keep signing and API keys fresh and published, forget old sessions and attempts."""
    keys, book = SigningKeys(db, redis, Keyring.of(settings)), KeyBook(db, redis)
    uses = KeyUseBook(db, redis)
    await asyncio.gather(keys.keep(stop), book.keep(stop), uses.keep(stop), _purge(db, stop))


async def _purge(db: Database, stop: asyncio.Event) -> None:
    async def forget() -> None:
        async with db.transaction(Scope.system()) as tx:
            await sessions.purge(tx)
            await throttle.purge(tx)
            await password_resets.purge(tx)

    await rounds("purge of sessions and attempts", forget, stop, every_s=PURGE_EVERY_S)
