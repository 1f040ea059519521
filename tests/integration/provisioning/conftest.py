"""Provisioning's API on this module's own database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from landline.chassis.settings import Settings

from tests.support.provisioning_api import Api, provisioning_api


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def api(settings: Settings) -> AsyncIterator[Api]:
    """As anybody, by name: `platform`, or the name of a brand or client made with it."""
    async with provisioning_api(settings) as api:
        yield api
