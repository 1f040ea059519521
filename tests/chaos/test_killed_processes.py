"""kill -9 under load: of Redis, of the workers, of the web process. Nothing acknowledged may be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import httpx
import pytest

from tests.chaos.conftest import HEAVY
from tests.support.edge_load import EdgeLoad
from tests.support.load_check import assert_all_billed_once
from tests.support.stack import Stack
from tests.support.story_edge import Edge
from tests.support.world import Brand, Home

pytestmark = pytest.mark.chaos
SECONDS = 60.0 if HEAVY else 6.0
MAX_CALLS = 2  # of each home but one; the lanes ask for more
LANES = 12
KILLS = 2  # of each process; all tests here together: the supervisor gives up at the fifth in a minute


@pytest.fixture
def homes(brand: Brand) -> Sequence[Home]:
    """Prepaid with little money, one with a daily limit, one with neither, and one without any limit."""
    return (
        brand.home(max_calls=MAX_CALLS, billing_method="prepaid", balance="0.15"),
        brand.home(max_calls=MAX_CALLS, max_daily_usage="0.15"),
        brand.home(max_calls=MAX_CALLS),
        brand.home(),
    )


async def pid_of(stack: Stack, role: str) -> int:
    """The process of a role, waited for."""
    for _ in range(600):
        found = await asyncio.to_thread(stack.processes)
        if role in found:
            return found[role].pid
        await asyncio.sleep(0.05)
    raise AssertionError(f"{role} does not come back")


async def killed(stack: Stack, role: str, times: int, seconds: float) -> None:
    """kill -9, `times` times over the seconds; each time wait until another process took its place."""
    for _ in range(times):
        await asyncio.sleep(seconds / (times + 1))
        await killed_once(stack, role)


async def killed_once(stack: Stack, role: str) -> None:
    """kill -9, then wait until another process took its place."""
    before = await pid_of(stack, role)
    await asyncio.to_thread(stack.kill, role)
    while await pid_of(stack, role) == before:
        await asyncio.sleep(0.05)


async def under_load(
    brand: Brand, edge: Edge, homes: Sequence[Home], harm: Callable[[], Awaitable[None]]
) -> EdgeLoad:
    """Load and harm side by side; returns when both have ended and the platform is ready again."""
    load = EdgeLoad(edge, homes, lanes=LANES, talk_s=0.1)
    await asyncio.gather(load.run(SECONDS), harm())
    await asyncio.to_thread(brand.platform.wait_served)
    return load


def assert_limits_were_kept(load: EdgeLoad, homes: Sequence[Home]) -> None:
    """Promise 1, as the edge saw it and as the books say."""
    prepaid, limited, _, free = homes
    assert max(peak for home_id, peak in load.peak.items() if home_id != free.id) <= MAX_CALLS, load.peak
    assert load.peak[free.id] > MAX_CALLS, "the lanes do ask for more"
    assert not prepaid.balance().startswith("-")
    assert float(limited.usage()["day_spend"]) <= 0.15


@pytest.mark.parametrize(
    "roles",
    [("valkey",), ("work",), ("web",), ("valkey", "work", "web")],
    ids=lambda roles: " and ".join(roles),
)
async def test_every_acknowledged_end_is_billed_once_whatever_is_killed(
    brand: Brand, edge: Edge, homes: Sequence[Home], roles: tuple[str, ...]
) -> None:
    """A restart at a bad moment must neither lose a call, bill it twice, nor let one too many in."""
    stack = brand.platform.stack
    times = KILLS if len(roles) == 1 else 1

    async def harm() -> None:
        await asyncio.gather(*(killed(stack, role, times, SECONDS) for role in roles))

    load = await under_load(brand, edge, homes, harm)
    await asyncio.to_thread(assert_all_billed_once, stack, load)
    assert_limits_were_kept(load, homes)
    assert len(load.calls) > 20, ("no load to speak of", load.denials, load.repeated)


async def test_people_get_503_not_500_while_redis_is_away(brand: Brand) -> None:
    """A 5xx other than 503 is a bug of ours; 503 says: again in a moment."""
    stack = brand.platform.stack
    paths = (
        "call-control/v1/calls",
        "provisioning/v1/clients",
        "billing/v1/postings",
        "notifier/v1/notifications",
    )
    token = brand.api.http.headers["Authorization"]
    seen: set[int] = set()
    async with httpx.AsyncClient(base_url=stack.url, headers={"Authorization": token}, timeout=20) as http:

        async def ask() -> None:
            answers = await asyncio.gather(*(http.get(f"/api/{path}") for path in paths))
            seen.update(answer.status_code for answer in answers)

        before = await pid_of(stack, "valkey")
        await asyncio.to_thread(stack.kill, "valkey")
        await ask()
        while await pid_of(stack, "valkey") == before:
            await ask()
        await asyncio.to_thread(brand.platform.wait_served)
        await ask()
    assert seen <= {200, 503}, seen
