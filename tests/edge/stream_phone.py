"""A phone that speaks SIP over one TCP or TLS connection (RFC 3261 section 18), and is called over it."""

from __future__ import annotations

import re
import socket
import ssl
import threading

from tests.edge.phone import Phone
from tests.edge.sip_message import Address, Message, parse

_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(\d+)", re.IGNORECASE)


class StreamPhone(Phone):
    """`tls`: the edge's certificate is verified against this context; None is plain TCP."""

    def __init__(
        self,
        ip: str,
        proxy: Address,
        user: str,
        domain: str,
        password: str | None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        raw = socket.create_connection(proxy, timeout=5, source_address=(ip, 0))
        self.stream = tls.wrap_socket(raw, server_hostname=proxy[0]) if tls else raw
        self.stream.settimeout(0.1)
        self.protocol = "TLS" if tls else "TCP"
        self._here = ":".join(map(str, self.stream.getsockname()))
        self._buffer = b""
        self._sending = threading.Lock()
        super().__init__(ip, proxy, user, domain, password)

    def close(self) -> None:
        """The connection is gone, too."""
        super().close()
        self.stream.close()

    @property
    def contact(self) -> str:
        """The near end of the connection: nothing listens there, so the edge must come back over it."""
        return f"<sip:{self.user}@{self.near_end};transport={self.protocol.lower()}>"

    @property
    def near_end(self) -> str:
        """Of the connection."""
        return self._here

    def send(self, message: Message, target: Address) -> None:
        """Everything goes over the one connection."""
        with self._sending:
            self.stream.sendall(message.encoded())

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                received = self.stream.recv(65535)
            except (TimeoutError, ssl.SSLWantReadError):
                continue
            except OSError:
                return
            if not received:
                return
            self._buffer = (self._buffer + received).lstrip(b"\r\n")
            self._take_whole_messages()

    def _take_whole_messages(self) -> None:
        """RFC 3261 18.3: Content-Length says where a message ends; empty lines between are keepalives."""
        while (head_end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._buffer[: head_end + 2])
            end = head_end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < end:
                return
            data, self._buffer = self._buffer[:end], self._buffer[end:].lstrip(b"\r\n")
            message = parse(data, self.proxy)
            if message is None:
                continue
            if message.status:
                self._took_reply(message)
            else:
                self._took_request(message)
