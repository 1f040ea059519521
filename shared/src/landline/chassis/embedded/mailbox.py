"""Caught mails as files: DATA/mails/<time>-<id>.eml, written whole or not at all, the newest 1,000 kept."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import lru_cache
from pathlib import Path
from typing import Any

KEPT = 1000


class Mailbox:
    """One folder of mails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, content: bytes) -> Path:
        """Store one mail; older ones beyond the limit go."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns() // 1000:016d}-{secrets.token_hex(6)}"
        temporary = self.folder / f".{name}"
        temporary.write_bytes(content)
        path = temporary.rename(self.folder / f"{name}.eml")
        for old in self._names()[KEPT:]:
            (self.folder / old).unlink(missing_ok=True)
        return path

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """The newest mails first: id, from, to, subject, date, text, html, recipients (of the envelope)."""
        return [mail for name in self._names()[:limit] if (mail := _read(self.folder / name))]

    def _names(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return sorted((name for name in os.listdir(self.folder) if name.endswith(".eml")), reverse=True)
        return []


@lru_cache(maxsize=KEPT)  # a stored mail never changes
def _parsed(path: Path) -> dict[str, Any]:
    message = message_from_bytes(path.read_bytes(), policy=default)
    assert isinstance(message, EmailMessage)
    return {
        "id": path.stem,
        "from": str(message.get("From", "")),
        "to": str(message.get("To", "")),
        "subject": str(message.get("Subject", "")),
        "date": str(message.get("Date", "")),
        "text": _body(message, "plain"),
        "html": _body(message, "html"),
        "recipients": str(message.get("X-Landline-Recipients", "")).split(),
    }


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return _parsed(path)
    except FileNotFoundError:  # thrown out meanwhile
        return None


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):  # an unknown or wrong charset
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else None
