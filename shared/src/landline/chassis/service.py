"""A service as the composition roots and the embedded run see it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from landline.chassis.settings import Settings

GROUP = "landline.services"


@dataclass(frozen=True)
class Service:
    """One service: its name (kebab-case), its package, its HTTP app and its background work."""

    name: str
    package: str
    app: Callable[[Settings], FastAPI]
    work: Callable[[Settings, asyncio.Event], Awaitable[None]]

    @property
    def base_path(self) -> str:
        """`/api/call-control/v1`: where all of the service's API lives (contracts section 1)."""
        return f"/api/{self.name}/v1"


def installed_services(only: str = "") -> list[Service]:
    """Every installed service, or the one of that name, found by its entry point, in name order."""
    found = (point for point in entry_points(group=GROUP) if only in ("", point.name))
    return [point.load() for point in sorted(found, key=lambda p: p.name)]
