"""What notifier knows of brands and clients: copies from the `config` stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Brand:
    """A brand's name and defaults. `template_ids`: kind -> notification template."""

    id: str
    name: str
    language: str = "en"
    country: str | None = None
    template_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Client:
    """A client as mails need it; empty language or country means the brand's."""

    id: str
    brand_id: str
    name: str
    language: str | None = None
    country: str | None = None
    daily_usage_emails: tuple[str, ...] = ()
    template_ids: Mapping[str, str] = field(default_factory=dict)
