"""The one public port: taken by the supervisor before anything starts, asked for readiness over itself."""

from __future__ import annotations

import errno
import socket

from landline.chassis.embedded.errors import CannotStart

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """The one public socket, held by the supervisor: connections wait while `web` restarts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotStart(_why_not(error, host, port)) from None
    return listener


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use by another program: stop it, or choose another (make run PORT=8081)"
    if error.errno == errno.EACCES:
        return f"port {port} is reserved for root: choose one from 1024 to 65535 (make run PORT=8080)"
    return f"cannot listen on {host}, port {port}: {error.strerror}"


def ready(host: str, port: int, timeout_s: float = 3.0) -> tuple[int, str]:
    """Status and body of GET /readyz; status 0 when nobody answers."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = b""
            while part := connection.recv(65536):
                answer += part
    except OSError:
        return 0, ""
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    return (int(words[1]) if len(words) > 2 and words[1].isdigit() else 0), body.decode(
        "utf-8", "replace"
    ).strip()
