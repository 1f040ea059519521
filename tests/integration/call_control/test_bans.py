"""Bans by address in Redis: listed with what they are for, lifted, gone by themselves."""

from __future__ import annotations

from call_control.adapters import keys
from call_control.adapters.auth_failures import AuthFailures
from call_control.domain.guessing import BAN_MS, MOST_NAMES

from tests.support.money_world import World

NOW_MS = 1_795_000_000_000
ADDRESS = "203.0.113.7"


async def banned(world: World, address: str = ADDRESS, now_ms: int = NOW_MS) -> AuthFailures:
    """An address that tried ten names."""
    failures = AuthFailures(world.batch)
    for n in range(MOST_NAMES):
        await failures.failed(address, f"guess{n}", "sip.brand.example", now_ms)
    return failures


async def test_a_ban_is_listed_with_the_accounts_that_it_tried(world: World) -> None:
    """The operator must tell a guesser from a home with an old password."""
    failures = await banned(world)
    (found,) = await failures.bans(NOW_MS)
    assert (found.address, found.until_ms, len(found.failures)) == (ADDRESS, NOW_MS + BAN_MS, MOST_NAMES)
    assert found.failures["guess3@sip.brand.example"] == 1
    assert await failures.bans(NOW_MS + BAN_MS + 1) == []


async def test_a_lifted_ban_leaves_nothing_that_would_ban_again(world: World) -> None:
    """With the old counts the next wrong password would end the operator's mercy at once."""
    failures = await banned(world)
    assert await failures.lift(ADDRESS)
    assert not await failures.lift(ADDRESS)
    assert await failures.bans(NOW_MS) == []
    assert await failures.failed(ADDRESS, "casa1", "sip.brand.example", NOW_MS) is None


async def test_the_list_of_bans_does_not_grow(world: World) -> None:
    """A botnet of a million addresses must not stay in Redis after its bans have ended."""
    await banned(world)
    await banned(world, "192.0.2.9", NOW_MS + BAN_MS + 1)
    assert await world.batch.execute("ZRANGE", keys.BANS, 0, -1) == [b"192.0.2.9"]
    for key in (keys.banned("192.0.2.9"), keys.auth_failures("192.0.2.9")):
        assert 0 < await world.batch.execute("PTTL", key) <= BAN_MS
