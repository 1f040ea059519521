"""Events of the `config` stream: `<entity>.changed.v1`, revoked sessions, signing keys."""

from __future__ import annotations

from typing import Any, ClassVar

from landline.contracts.envelope import Event


class EntityChanged(Event, frozen=True, kw_only=True):
    """A row was written or deleted. Its envelope's type is `<entity>.changed.v1`, e.g. `client.changed.v1`.

    `data` is the row as published (JSON shapes of the REST API plus secrets' hashes where a reader needs
    them); consumers apply only a higher entity_version.
    """

    TYPE: ClassVar[str] = "entity.changed.v1"
    entity: str
    entity_id: str
    entity_version: int
    deleted: bool = False
    data: dict[str, Any] = {}

    def type_name(self) -> str:  # type: ignore[override]
        """`client.changed.v1` for entity `client`."""
        return f"{self.entity}.changed.v1"


class SessionRevoked(Event, frozen=True, kw_only=True):
    """A person's session ended before its time: its access tokens are refused from now on."""

    TYPE: ClassVar[str] = "session.revoked.v1"
    sid: str


class SigningKeysRotated(Event, frozen=True, kw_only=True):
    """A key that signs access tokens was made or withdrawn: read them anew.

    `kids` are those that are good now.
    """

    TYPE: ClassVar[str] = "signing_keys.rotated.v1"
    kids: list[str]


class PasswordResetRequested(Event, frozen=True, kw_only=True):
    """A person asked for a new password: notifier mails the token to `address`.

    `token_sealed` opens with LANDLINE_SECRETS_KEY at the place `password-reset:<reset_id>`: who can read a
    stream must not be able to take over an account. The envelope carries the admin's brand and client.
    """

    TYPE: ClassVar[str] = "password_reset.requested.v1"
    reset_id: str
    admin_id: str
    username: str
    name: str
    address: str
    token_sealed: str
    expires_at_ms: int
    origin: str | None = None
