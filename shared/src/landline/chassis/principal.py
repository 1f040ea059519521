"""Who asks: a person, an integrator's key or a service, where it stands and what it may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from landline.chassis.problems import Forbidden

Level = Literal["platform", "brand", "client", "system"]
PersonLevel = Literal["platform", "brand", "client"]


@dataclass(frozen=True)
class Principal:
    """Who asks, and for whom. `rights` None: everything its level may do; else resource -> letters of "crud".

    `impersonator_id` is the admin behind it when an operator acts as a brand or client below; `key_id` the
    API key with which an integrator asks (there is no admin then).
    """

    level: Level
    brand_id: str | None = None
    client_id: str | None = None
    admin_id: str | None = None
    username: str = ""
    sid: str | None = None
    impersonator_id: str | None = None
    rights: Mapping[str, str] | None = None
    key_id: str | None = None

    @property
    def identity(self) -> str:
        """Who this is, for idempotency keys: admin or API key, impersonation and tenant together."""
        who = self.admin_id or self.key_id
        return "|".join(str(p) for p in (self.level, who, self.username, self.brand_id, self.client_id))

    def require(self, resource: str, action: Literal["c", "r", "u", "d"]) -> None:
        """Forbidden, unless a restricted admin was given this right on this resource."""
        if self.rights is not None and action not in self.rights.get(resource, "r"):
            raise Forbidden(f"no right to do this on {resource}", code="no_right")


SYSTEM = Principal("system", username="system")


def level_of(brand_id: object, client_id: object) -> PersonLevel:
    """Where a person or a key stands, by whose it is (ids, or None)."""
    return "client" if client_id else "brand" if brand_id else "platform"
