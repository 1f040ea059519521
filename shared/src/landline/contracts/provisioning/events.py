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
