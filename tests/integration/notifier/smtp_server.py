"""A real SMTP server on a socket that does to mails what a test tells it to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP

CLOSE = "close"  # take the message, then close the connection without a word
HOLD = "hold"  # take the message, answer only when `release` is set


class SmtpServer:
    """`accepted`: messages answered with 250. `taken`: every message whose bytes arrived, in order.

    `at_rcpt` and `at_data` map an address to the answers it gets, one a time; then 250 again.
    """

    def __init__(self) -> None:
        self.at_rcpt: defaultdict[str, list[str]] = defaultdict(list)
        self.at_data: defaultdict[str, list[str]] = defaultdict(list)
        self.accepted: list[EmailMessage] = []
        self.taken: list[EmailMessage] = []
        self.connections = 0
        self.release = asyncio.Event()
        self.arrived = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        """For `smtp_url`."""
        return f"smtp://127.0.0.1:{self.port}"

    def to(self, address: str) -> list[EmailMessage]:
        """What was accepted for an address."""
        return [mail for mail in self.accepted if mail["To"] == address]

    async def handle_EHLO(  # noqa: N802
        self, _smtp: SMTP, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """Counts connections."""
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_RCPT(  # noqa: N802
        self, _smtp: SMTP, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """The scripted answer to RCPT, or 250."""
        answer = self.at_rcpt[address].pop(0) if self.at_rcpt[address] else "250 ok"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, smtp: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802
        """The scripted answer to the message, or 250."""
        (address,) = envelope.rcpt_tos
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.taken.append(mail)
        self.arrived.set()
        answer = self.at_data[address].pop(0) if self.at_data[address] else "250 kept"
        if answer == CLOSE:
            assert isinstance(smtp.transport, asyncio.Transport)
            smtp.transport.abort()
            return "250 nobody hears this"
        if answer == HOLD:
            await self.release.wait()
            answer = "250 kept, at last"
        if answer.startswith("250"):
            self.accepted.append(mail)
        return answer


@asynccontextmanager
async def running_smtp_server(port: int = 0) -> AsyncIterator[SmtpServer]:
    """On a free port of 127.0.0.1, or on a given one."""
    smtp_server, loop = SmtpServer(), asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: SMTP(smtp_server, hostname="mail.test", loop=loop), "127.0.0.1", port
    )
    smtp_server.port = listening.sockets[0].getsockname()[1]
    try:
        yield smtp_server
    finally:
        smtp_server.release.set()
        listening.close()
        await listening.wait_closed()
