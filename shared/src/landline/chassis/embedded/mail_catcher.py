"""A local SMTP server that delivers nothing: the mails of an embedded run end in DATA/mails."""

from __future__ import annotations

import asyncio
import socket

from aiosmtpd.smtp import SMTP, Envelope, Session

from landline.chassis.embedded.mailbox import Mailbox


class _Catcher:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by aiosmtpd with a whole mail; answered only after it is stored."""
        content = envelope.content
        body = content if isinstance(content, bytes) else (content or "").encode()
        recipients = " ".join(envelope.rcpt_tos)
        self._mailbox.add(b"X-Landline-Recipients: " + recipients.encode() + b"\r\n" + body)
        return "250 kept"


async def start_mail_catcher(listener: socket.socket, mailbox: Mailbox) -> asyncio.Server:
    """Serve a listening socket."""
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(_Catcher(mailbox), hostname="localhost", enable_SMTPUTF8=True, loop=loop)

    return await loop.create_server(protocol, sock=listener)
