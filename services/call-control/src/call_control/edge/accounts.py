"""`POST /edges/provider-registrations`: accounts that an edge is to register, and how it goes."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Protocol

import msgspec
import structlog
from landline.chassis.secrets import CannotUnseal, NoSecretsKey
from msgspec import Meta
from starlette.types import Receive, Scope, Send

from call_control.adapters.accounts import Accounts, Told
from call_control.adapters.fact_parsing import Unseal
from call_control.domain.facts import ProviderRegistration
from call_control.edge.auth import EdgeAuth
from call_control.edge.endpoint import Endpoint, json_answer
from call_control.edge.reading import BodyReader, read_body

MOST_HELD: Final = 400
"""Accounts of one edge: what it says of them fits one body. More go to the next edge."""
log = structlog.get_logger(__name__)


class KnowsAccounts(Protocol):
    """`adapters.facts_cache.Directory`, as far as needed here."""

    accounts: dict[str, ProviderRegistration]


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """Body: what this instance of the edge has registered, or tries to."""

    instance_id: Annotated[
        str,
        Meta(min_length=1, max_length=64, description="As in heartbeats: which of the edges with this key."),
    ]
    held: Annotated[
        list[Told], Meta(max_length=MOST_HELD, description="What it registers now, at most 400.")
    ] = []


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One to register, HA1 in the clear (RFC 7616 3.4.2). `contact_random`: nobody can guess `contact_user`,
    so whoever calls it was told it by the provider; the called number is then that of To."""

    id: Annotated[str, Meta(description="Goes into `registration_id` of calls to its Contact.")]
    username: Annotated[str, Meta(description="User of From and To of the REGISTER.")]
    domain: Annotated[str, Meta(description="Its Request-URI, and the host of From and To.")]
    realm: Annotated[str, Meta(description="Of the challenges to answer; others are refused.")]
    auth_username: Annotated[str, Meta(description="User of the digest.")]
    auth_ha1: Annotated[str, Meta(description="MD5(user:realm:password). Keep it in memory only.")]
    auth_proxy: Annotated[str | None, Meta(description="SIP URI to send it to; null: the domain.")]
    expires_s: Annotated[int, Meta(description="Seconds to ask for.")]
    contact_user: Annotated[str, Meta(description="User of our Contact, unique among all accounts.")]
    contact_random: Annotated[
        bool,
        Meta(
            description="True: believe who calls it, the number is that of To. False: believe only the "
            "registrar and the provider's addresses."
        ),
    ]


class AccountsAnswer(msgspec.Struct, frozen=True):
    """All that this instance holds from now on; others are to be unregistered."""

    registrations: Annotated[list[Account], Meta(description="At most 400.")]


_encode = msgspec.json.Encoder().encode


class AccountsEndpoint(Endpoint):
    """Lends accounts out; a question is also the renewal of what was lent."""

    def __init__(
        self,
        auth: EdgeAuth,
        accounts: Accounts,
        directory: Callable[[], Awaitable[KnowsAccounts]],
        unseal: Unseal,
        contact_key: bytes,
    ) -> None:
        self._auth = auth
        self._accounts = accounts
        self._directory = directory
        self._unseal = unseal
        self._contact_key = contact_key
        self._reader = BodyReader(Holding)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with the accounts of this instance."""
        edge = await self._auth(scope)
        body: Holding = self._reader.read(await read_body(receive))
        told = {each.id: each for each in body.held}
        known = [each for each in (await self._directory()).accounts.values() if each.enabled]
        wanted = sorted(known, key=lambda each: each.id not in told)[:MOST_HELD]
        lent = await asyncio.gather(
            *(self._accounts.hold(each.id, edge.name, body.instance_id, told.get(each.id)) for each in wanted)
        )
        opened = [self._opened(each) for each, mine in zip(wanted, lent, strict=True) if mine]
        await json_answer(send, _encode(AccountsAnswer([each for each in opened if each is not None])))

    def _opened(self, row: ProviderRegistration) -> Account | None:
        try:
            ha1 = self._unseal(row.sealed_ha1, f"ddi_provider_registration:{row.id}")
        except (CannotUnseal, NoSecretsKey) as error:
            log.error("credentials can't be opened", ddi_provider_registration=row.id, error=str(error))
            return None
        return Account(
            id=row.id,
            username=row.username,
            domain=row.domain,
            realm=row.realm,
            auth_username=row.auth_username,
            auth_ha1=ha1,
            auth_proxy=row.auth_proxy,
            expires_s=row.expires_s,
            contact_user=row.contact_user or self._random(row.id),
            contact_random=row.contact_user is None,
        )

    def _random(self, registration_id: str) -> str:
        """The same at every edge and after every restart, and not to be guessed."""
        said = f"contact of {registration_id}".encode()
        return hmac.digest(self._contact_key, said, hashlib.sha256).hex()[:32]
