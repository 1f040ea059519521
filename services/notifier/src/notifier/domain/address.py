"""Mail addresses: checked before they come near a header or an SMTP command."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
MAX_ADDRESSES = 20


class NotAnAddress(ValueError):
    """The text is no mail address that we can send to."""


def address(text: str) -> str:
    """The address with its domain in lower case ASCII (RFC 5321 section 4.1.2, dot-atoms only; IDNA for
    domains); NotAnAddress for anything else, so also for CR, LF, quotes, comments and lists."""
    local, at, domain = text.strip(" ").rpartition("@")
    if not at or len(local) > 64 or not _LOCAL.fullmatch(local):
        raise NotAnAddress("not a mail address")
    domain = _ascii(domain)
    labels = domain.split(".")
    if len(labels) < 2 or len(local) + len(domain) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise NotAnAddress("not a mail domain")
    return f"{local}@{domain}"


def _ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise NotAnAddress("not a mail domain") from error


def split(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """(good, bad), each once: addresses that differ only in case are one mailbox in practice."""
    good: dict[str, str] = {}
    bad: dict[str, str] = {}
    for text in list(texts)[:MAX_ADDRESSES]:
        try:
            checked = address(text)
            good.setdefault(checked.casefold(), checked)
        except NotAnAddress:
            bad.setdefault(text, text)
    return list(good.values()), list(bad.values())
