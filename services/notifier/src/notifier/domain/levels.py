"""Which stored templates stand at which level for a client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from notifier.domain.contents import Contents, Level
from notifier.domain.people import Brand, Client


@dataclass(frozen=True)
class StoredTemplate:
    """A template as kept: a client's own, or a brand's, which may be its default for the kind."""

    id: str
    client_id: str | None
    is_default: bool
    contents: Contents


def levels(
    stored: Sequence[StoredTemplate], kind: str, client: Client | None, brand: Brand, builtin: Contents
) -> list[Level]:
    """Client's, brand's, built-in. At each level the one assigned in the configuration goes before the
    client's own or the brand's default; an id that names no template of this kind counts as none."""
    by_id = {template.id: template for template in stored}
    found: list[Level] = []
    if client is not None:
        own = [t for t in stored if t.client_id is not None and t.client_id == client.id]
        found += _level("client", by_id.get(client.template_ids.get(kind, "")), own)
    defaults = [t for t in stored if t.client_id is None and t.is_default]
    found += _level("brand", by_id.get(brand.template_ids.get(kind, "")), defaults)
    return [*found, Level("built-in", builtin)]


def _level(source: str, assigned: StoredTemplate | None, others: Sequence[StoredTemplate]) -> list[Level]:
    picked = assigned or (others[0] if others else None)
    return [Level(source, picked.contents)] if picked else []
