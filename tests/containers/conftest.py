"""One engine and one running project for all tests of deploy/."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from tests.containers.containers import Containers, running_containers, running_engine
from tests.support.stack import Stack
from tests.support.world import Platform


@pytest.fixture(scope="session")
def engine() -> Iterator[dict[str, str]]:
    """Its environment."""
    with running_engine() as env:
        yield env


@pytest.fixture(scope="session")
def containers(engine: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """Started once."""
    with running_containers(tmp_path_factory.mktemp("containers"), engine) as running:
        yield running


@pytest.fixture(scope="session")
def platform(containers: Containers) -> Platform:
    """The same, seen through the proxy by its operator."""
    return Platform(cast(Stack, containers))
