"""SMTP by aiosmtplib: one connection, kept between mails, and what each answer means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
from landline.kernel.clock import utc

from notifier.app.ports import Mail
from notifier.domain.delivery import Outcome, Result

COMMAND_TIMEOUT_S = 30.0
MAILS_PER_CONNECTION = 100
# About us and our account, not about this mail (RFC 4954 section 6, RFC 5321 section 3.8 for 421).
_OURS = frozenset({421, 454, 530, 534, 535, 538})
T = TypeVar("T")
_POLICY = SMTP_POLICY.clone(cte_type="7bit")


class BadSmtpUrl(ValueError):
    """`smtp_url` is not `smtp[s]://[user:password@]host[:port][?starttls=auto|always|never]`."""


def compose(mail: Mail, mail_from: str) -> bytes:
    """The message, text and HTML, the same Message-ID and Date for every copy of it.

    Headers are made by `email.policy.SMTP`, which refuses CR and LF; the words were made fit before.
    """
    message = EmailMessage(policy=_POLICY)
    name, sender = parseaddr(mail_from)
    message["From"] = Address(mail.from_name or name, addr_spec=sender)
    message["To"] = Address(addr_spec=mail.address)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(utc(mail.created_ms))
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation replies, please
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message.as_bytes()


class SmtpTransport:
    """`Transport` over SMTP. `deliver_s`: patience after the message's final dot."""

    def __init__(self, url: str, mail_from: str, deliver_s: float = 600.0) -> None:
        self._options = options(url)
        self._mail_from, self._deliver_s = mail_from, deliver_s
        self._client: aiosmtplib.SMTP | None = None
        self._message = b""
        self._sent = 0

    async def prepare(self, mail: Mail) -> Outcome | None:
        """See Transport. An old connection that the server has closed is replaced once, at once: nothing
        was said on it about this mail."""
        try:
            self._message = compose(mail, self._mail_from)
        except ValueError as error:  # never seen; without this it would be tried for ever
            return Outcome(Result.REFUSED, f"cannot be written as a message: {error}")
        reused = self._client is not None and self._sent < MAILS_PER_CONNECTION
        outcome = await self._answer(lambda: self._prepare(mail), before_message=True)
        if reused and outcome is not None and outcome.server_away:
            outcome = await self._answer(lambda: self._prepare(mail), before_message=True)
        return outcome

    async def deliver(self) -> Outcome:
        """See Transport."""
        return await self._answer(self._deliver, before_message=False)

    async def close(self) -> None:
        """See Transport."""
        client, self._client, self._sent = self._client, None, 0
        if client is None:
            return
        try:
            await client.quit(timeout=2)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            client.close()

    async def _prepare(self, mail: Mail) -> None:
        client = await self._connected()
        await client.mail(parseaddr(self._mail_from)[1])
        await client.rcpt(mail.address)

    async def _deliver(self) -> Outcome:
        assert self._client is not None
        reply = await self._client.data(self._message, timeout=self._deliver_s)
        self._sent += 1
        return Outcome(Result.ACCEPTED, f"{reply.code} {reply.message}")

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._sent >= MAILS_PER_CONNECTION or (self._client and not self._client.is_connected):
            await self.close()
        if self._client is None:
            client = aiosmtplib.SMTP(**self._options)
            await client.connect()
            self._client = client
        return self._client

    async def _answer(self, step: Callable[[], Awaitable[T]], *, before_message: bool) -> T | Outcome:
        """What a step returned, or the outcome that its error means."""
        try:
            return await step()
        except aiosmtplib.SMTPResponseException as error:
            return await self._refused(error)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            await self._drop()
            result = Result.TEMPORARY if before_message else Result.UNKNOWN
            return Outcome(result, f"{type(error).__name__}: {error}", server_away=before_message)

    async def _refused(self, error: aiosmtplib.SMTPResponseException) -> Outcome:
        text = f"{error.code} {error.message}"
        if (
            isinstance(error, aiosmtplib.SMTPConnectResponseError)
            or error.code in _OURS
            or self._client is None
        ):
            await self._drop()
            return Outcome(Result.TEMPORARY, text, server_away=True)
        try:
            await self._client.rset()
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            await self._drop()
        return Outcome(Result.REFUSED if 500 <= error.code < 600 else Result.TEMPORARY, text)

    async def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client, self._sent = None, 0


def options(url: str) -> dict[str, Any]:
    """aiosmtplib's arguments. smtps: TLS from the start; smtp: STARTTLS when offered, unless `starttls` says
    always or never. BadSmtpUrl names what is wrong without repeating the password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadSmtpUrl("not a URL") from error
    mode = parse_qs(parts.query).get("starttls", ["auto"])[0]
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or mode not in ("auto", "always", "never"):
        raise BadSmtpUrl(BadSmtpUrl.__doc__)
    tls = parts.scheme == "smtps"
    return {
        "hostname": parts.hostname,
        "port": port or (465 if tls else 25),
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "use_tls": tls,
        "start_tls": False if tls else {"auto": None, "always": True, "never": False}[mode],
        "timeout": COMMAND_TIMEOUT_S,
    }
