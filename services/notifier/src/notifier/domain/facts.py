"""A fact is told once: its key says what happened, whichever event brought it and however often."""

from __future__ import annotations

from email.utils import parseaddr


def daily_usage_key(client_id: str, day: str, threshold: int) -> str:
    """One per client, local day and threshold."""
    return f"daily_usage:{client_id}:{day}:{threshold}"


def resend_key(notification_id: str) -> str:
    """A mail asked for again by a person is a fact of its own; the id is the new mail's."""
    return f"resend:{notification_id}"


def message_id(notification_id: str, mail_from: str) -> str:
    """The Message-ID of every copy of one mail, so that the reader's side can drop a second one."""
    domain = parseaddr(mail_from)[1].rpartition("@")[2] or "landline.invalid"
    return f"<{notification_id}@{domain}>"
