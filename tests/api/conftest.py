"""One running platform for everything that is asked of its APIs as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api_tenants import Town, build_town
from tests.support.stack import running_stack
from tests.support.world import Platform


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """`landline run`, as people start it."""
    with running_stack(tmp_path_factory.mktemp("api") / "run") as stack:
        yield Platform(stack)


@pytest.fixture(scope="session")
def town(platform: Platform) -> Town:
    """Two brands with a row of every kind."""
    return build_town(platform)
