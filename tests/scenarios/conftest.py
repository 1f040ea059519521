"""One running platform for all stories; each story has clients of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack import running_stack
from tests.support.story_edge import Edge
from tests.support.world import Brand, Platform

SHORT_LEASES = {"LANDLINE_LEASE_S": "2", "LANDLINE_HEARTBEAT_S": "1", "LANDLINE_CLAIM_S": "1"}


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """`landline run` with leases of two seconds."""
    with running_stack(tmp_path_factory.mktemp("stories") / "run", env=SHORT_LEASES) as stack:
        yield Platform(stack)


@pytest.fixture(scope="session")
def brand(platform: Platform) -> Brand:
    """A brand that all stories may add clients to."""
    return platform.brand("Alpha")


@pytest.fixture
def edge(platform: Platform) -> Edge:
    """The stories' SIP edge."""
    return platform.edge()
