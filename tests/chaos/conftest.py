"""One platform for all that kills: Postgres is ours, so that it can stay away; the rest comes back alone."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from landline.chassis.embedded.postgres import Postgres

from tests.support.stack import running_stack
from tests.support.stores import kind
from tests.support.story_edge import Edge
from tests.support.world import Brand, Platform

HEAVY = os.environ.get("LANDLINE_HEAVY") == "1"
ENVIRONMENT = {"LANDLINE_LEASE_S": "2", "LANDLINE_HEARTBEAT_S": "1", "LANDLINE_CLAIM_S": "1"}


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A database server that only tests stop and start."""
    folder: Path = tmp_path_factory.mktemp("chaos-postgres")
    quick = {"fsync": "off", "full_page_writes": "off"}  # a killed process loses nothing by that
    server = Postgres(
        folder / "pg", secrets.token_urlsafe(16), folder / "postgres.log", kind=kind(), settings=quick
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Platform]:
    """`landline run` with short leases and quick claims."""
    env = {**ENVIRONMENT, "LANDLINE_PG_DSN": postgres.url()}
    with running_stack(tmp_path_factory.mktemp("chaos") / "run", env=env) as stack:
        yield Platform(stack)


@pytest.fixture(scope="session")
def brand(platform: Platform) -> Brand:
    """A brand whose clients are called from."""
    return platform.brand("Chaos")


@pytest.fixture
def edge(platform: Platform) -> Edge:
    """The edge under load."""
    return platform.edge()
