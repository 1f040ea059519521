"""Events of the `messages` stream."""

from __future__ import annotations

from typing import ClassVar

from landline.contracts.envelope import Event


class NotificationSent(Event, frozen=True, kw_only=True):
    """A mail was accepted by the SMTP server."""

    TYPE: ClassVar[str] = "notification.sent.v1"
    notification_id: str
    kind: str
    address: str


class NotificationFailed(Event, frozen=True, kw_only=True):
    """A mail was given up after its last try."""

    TYPE: ClassVar[str] = "notification.failed.v1"
    notification_id: str
    kind: str
    address: str
    reason: str
