"""Facts in a worker's memory: read once, dropped as soon as they change (promise 6: within one second)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from call_control.adapters import facts_cache
from call_control.adapters.deck_files import DeckFiles
from call_control.adapters.facts_cache import FactsCache, Loading
from call_control.adapters.placement import Change, Invalidation
from call_control.adapters.read_model import ReadModel

from tests.support import configured as c
from tests.support.money_world import World


@asynccontextmanager
async def caching(world: World, folder: Path) -> AsyncIterator[FactsCache]:
    """A cache that follows the invalidations of this world."""
    cache = FactsCache(
        world.batch, DeckFiles(folder, "http://127.0.0.1:1", lambda: "k"), lambda sealed, _: sealed
    )
    stop = asyncio.Event()
    tail = asyncio.create_task(cache.run(stop))
    await cache._tail.started.wait()
    try:
        yield cache
    finally:
        stop.set()
        await tail


async def becomes(read: Callable[[], Awaitable[Any]], wanted: Any) -> float:
    """Seconds until a read gives what is wanted; fails after two."""
    started = monotonic()
    while (found := await read()) != wanted:
        assert monotonic() - started < 2, f"still {found}, not {wanted}"
        await asyncio.sleep(0.01)
    return monotonic() - started


async def test_a_change_acts_within_a_second(world: World, tmp_path: Path) -> None:
    """Promise 6: the next call after a change in provisioning sees it; every kind of row counts."""
    model = ReadModel(world.batch)
    await model.apply(c.everything(tmp_path), 0)
    async with caching(world, tmp_path) as cache:

        async def max_calls() -> int | None:
            client = await cache.client(c.BRAND, c.CLIENT)
            return None if client is None else client.max_calls

        async def brand_limit() -> int | None:
            brand = await cache.brand_of_domain(c.DOMAIN)
            return None if brand is None else brand.max_calls

        async def routes() -> int | None:
            brand = await cache.brand_of_domain(c.DOMAIN)
            return None if brand is None else len(brand.routes)

        async def edges() -> bool:
            return next(iter((await cache.directory()).edges.values())).enabled

        assert (await max_calls(), await brand_limit(), await routes(), await edges()) == (2, 0, 1, True)
        await model.apply([c.client(2, max_calls=7)], 0)
        assert await becomes(max_calls, 7) < 1
        await model.apply([Change("route", c.ROUTE, 2, c.BRAND, None, None, "7-0")], 0)
        assert await becomes(routes, 0) < 1
        await model.apply([c.brand(2, max_calls=5)], 0)
        assert await becomes(brand_limit, 5) < 1
        await model.apply([c.edge(2, enabled=False)], 0)
        assert await becomes(edges, False) < 1
        assert cache.missing() is None


async def test_concurrent_misses_cost_one_read(world: World, tmp_path: Path) -> None:
    """A hundred first calls of a client after a restart must not read it a hundred times."""
    await ReadModel(world.batch).apply(c.everything(tmp_path), 0)
    async with caching(world, tmp_path) as cache:
        await cache.directory()
        before = world.batch.commands
        found = await asyncio.gather(*(cache.client(c.BRAND, c.CLIENT) for _ in range(100)))
        assert {id(client) for client in found} == {id(found[0])}
        assert found[0] is not None
        assert world.batch.commands - before == 1


async def test_an_ordinary_caller_is_found_without_a_single_await(world: World, tmp_path: Path) -> None:
    """The hot path: all in memory, or nothing said at all; half an answer would decide on half the facts."""
    await ReadModel(world.batch).apply(c.everything(tmp_path), 0)
    async with caching(world, tmp_path) as cache:
        loads = (
            lambda: cache.brand_of_domain(c.DOMAIN),
            lambda: cache.rates(),
            lambda: cache.client_of_device(c.BRAND, "casa1"),
            lambda: cache.client(c.BRAND, c.CLIENT),
        )
        for load in loads:
            assert cache.known_caller(c.DOMAIN, "casa1") is None
            await load()
        found = cache.known_caller(c.DOMAIN, "casa1")
        assert found is not None
        brand, client, _ = found
        assert (brand.id, client.id) == (c.BRAND, c.CLIENT)
        assert cache.known_caller(c.DOMAIN, "casa2") is None
        assert cache.known_caller("sip.x.example", "casa1") is None
        cache._clients.forget((c.BRAND, c.CLIENT))
        assert cache.known_caller(c.DOMAIN, "casa1") is None


async def test_a_load_overtaken_by_a_change_is_not_kept() -> None:
    """Read, then changed, then stored: the old facts would stay until the next change."""
    gate, versions = asyncio.Event(), iter([1, 2])

    async def load(_key: str) -> int:
        version = next(versions)
        await gate.wait()
        return version

    cache: Loading[str, int] = Loading(load, 10)
    first = asyncio.create_task(cache.get("x"))
    await asyncio.sleep(0)
    cache.forget("x")
    gate.set()
    assert await first == 1
    assert await cache.get("x") == 2
    assert cache.known("x") == 2


async def test_what_is_refreshed_is_served_as_it_was_until_the_new_is_there() -> None:
    """A new deck is fetched and mapped meanwhile: no call may wait for that (issue 5: no peak)."""
    arrived, loads = asyncio.Event(), 0

    async def load(_key: str) -> int:
        nonlocal loads
        loads += 1
        if loads > 1:
            await arrived.wait()
        return loads

    cache: Loading[str, int] = Loading(load, 10)
    assert await cache.get("") == 1
    cache.refresh("")
    assert (await asyncio.wait_for(cache.get(""), 0.1), cache.known("")) == (1, 1)
    cache.refresh("")  # changed once more: the first of the two loads is old already
    arrived.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert (cache.known(""), loads) == (3, 3)


async def test_a_refresh_that_fails_is_made_good_by_the_next_use() -> None:
    """Serving what is old must end."""
    answers: list[int | Exception] = [1, ValueError("broken"), 2]

    async def load(_key: str) -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    cache: Loading[str, int] = Loading(load, 10)
    assert await cache.get("") == 1
    cache.refresh("")
    for _ in range(5):
        await asyncio.sleep(0)
    assert await cache.get("") == 2


async def test_a_failed_load_is_not_remembered() -> None:
    """One lost reply must not refuse a client's calls until its next change."""
    answers: list[Any] = [ConnectionError("lost"), 5]

    async def load(_key: str) -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    cache: Loading[str, int] = Loading(load, 10)
    results = await asyncio.gather(cache.get("x"), return_exceptions=True)
    assert isinstance(results[0], ConnectionError)
    assert await cache.get("x") == 5


async def test_the_least_used_are_dropped_first() -> None:
    """The memory of a worker is bounded; busy clients stay in it."""

    async def load(key: int) -> int:
        return key

    cache: Loading[int, int] = Loading(load, 2)
    for key in (1, 2, 1, 3):
        await cache.get(key)
    assert (cache.known(1), cache.known(2), cache.known(3)) == (1, None, 3)


async def test_an_unknown_device_is_believed_for_a_moment_only(
    world: World, tmp_path: Path, monkeypatch: Any
) -> None:
    """A scanner costs one read a name and second; a device created now can call now."""
    monkeypatch.setattr(facts_cache, "UNKNOWN_NAME_S", 0.05)
    model = ReadModel(world.batch)
    await model.apply([c.brand(), c.client()], 0)
    async with caching(world, tmp_path) as cache:

        async def owner() -> str | None:
            return await cache.client_of_device(c.BRAND, "casa1")

        assert await owner() is None
        before = world.batch.commands
        assert await owner() is None
        assert world.batch.commands == before
        await model.apply([c.device()], 0)
        assert await becomes(owner, c.CLIENT) < 1


async def test_a_new_deck_is_priced_by_at_once(world: World, tmp_path: Path) -> None:
    """tariff.published: the new file replaces the old one within two seconds (issue 5)."""
    model = ReadModel(world.batch)
    await model.apply(c.everything(tmp_path), 0)
    async with caching(world, tmp_path) as cache:
        client = await cache.client(c.BRAND, c.CLIENT)
        assert client is not None

        async def rate() -> int:
            priced, _ = (await cache.rates()).price(client.profiles, c.MOBILE, 1_795_348_800_000)
            return priced.tariff.windows[0].price.tiers[0].rate_nanos

        assert await rate() == 1_200_000_000
        await model.apply([c.deck(tmp_path, 2, [("+34", "0.30")])], 0)
        assert await becomes(rate, 300_000_000) < 2


async def test_a_deck_that_cannot_be_had_stops_only_its_own_prices(world: World, tmp_path: Path) -> None:
    """Billing away at a cold start: other plans go on, and the missing deck is tried again."""
    model = ReadModel(world.batch)
    missing = c.row("deck", "019a0000-0000-7000-8000-0000000000dd", {"version": 1, "sha256": "0" * 64})
    await model.apply([*c.everything(tmp_path), missing], 0)
    async with caching(world, tmp_path) as cache:
        client = await cache.client(c.BRAND, c.CLIENT)
        assert client is not None
        assert (await cache.rates()).price(client.profiles, c.MOBILE, 1_795_348_800_000)[
            0
        ].tariff.prefix == "+346"


async def test_everything_is_stale_after_a_gap(world: World, tmp_path: Path) -> None:
    """Entries may have been missed: serving what was cached could admit a deleted client."""
    model = ReadModel(world.batch)
    await model.apply(c.everything(tmp_path), 0)
    async with caching(world, tmp_path) as cache:
        assert (await cache.client(c.BRAND, c.CLIENT)) is not None
        cache._on_gap()
        assert cache._clients.known((c.BRAND, c.CLIENT)) is None
        await model.invalidate([Invalidation("all")])
        assert (await cache.client(c.BRAND, c.CLIENT)) is not None


async def test_a_client_is_found_by_its_id_alone(world: World, tmp_path: Path) -> None:
    """REST names a client without its brand."""
    await ReadModel(world.batch).apply(c.everything(tmp_path), 0)
    async with caching(world, tmp_path) as cache:
        found = await cache.find_client(c.CLIENT)
        assert found is not None
        assert found.name == "Casa Garcia"
        assert await cache.find_client("019a0000-0000-7000-8000-00000000dead") is None
        assert await cache.client("no such brand", c.CLIENT) is None
        assert await cache.client_of_device("no such brand", "casa1") is None
        assert await cache.brand("no such brand") is None
