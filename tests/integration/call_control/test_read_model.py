"""Configured rows into Redis: only higher versions, whatever order or repetition."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from call_control.adapters import read_model_keys as keys
from call_control.adapters.placement import BrandUnknown, Change
from call_control.adapters.read_model import TOMBSTONE_MS, ReadModel, read_fields
from landline.contracts.streams import INVALIDATE

from tests.support import configured as c
from tests.support.money_world import World

BOTH = pytest.mark.parametrize(
    "server", ["single", pytest.param("cluster", marks=pytest.mark.cluster)], indirect=True
)
POOL = keys.pool(c.PARTITION, c.BRAND)
CLIENT = keys.client(c.PARTITION, c.CLIENT)
NAMES = keys.device_names(c.PARTITION, c.BRAND)


async def rows(world: World, key: str) -> dict[str, dict[str, Any]]:
    """What stands in a hash, tombstones left out."""
    return read_fields(await world.batch.execute("HGETALL", key))


async def names(world: World) -> dict[str, str]:
    """The index of device names."""
    from call_control.adapters.call_reads import as_map

    raw = as_map(await world.batch.execute("HGETALL", NAMES))
    return {name.decode(): owner.decode() for name, owner in raw.items()}


@BOTH
async def test_all_of_a_client_stands_in_one_hash(world: World) -> None:
    """An admission may cost one read on a cold cache, not one per device and number."""
    model = ReadModel(world.batch)
    assert (
        await model.apply(
            [c.brand(), c.client(), c.device(), c.ddi(), c.source("192.0.2.0/24"), c.profile()], 0
        )
        == []
    )
    found = await rows(world, CLIENT)
    assert sorted(field.partition(":")[0] for field in found) == [
        "client",
        "ddi",
        "device",
        "profile",
        "source",
    ]
    assert await names(world) == {"casa1": c.CLIENT}


@BOTH
async def test_a_lower_or_equal_version_changes_nothing(world: World) -> None:
    """Redelivered and reordered events: the newest row wins, not the last (APPLIED, SAME, STALE)."""
    model = ReadModel(world.batch)
    await model.apply([c.brand(), c.client(3, max_calls=3)], 0)
    await model.apply([c.client(2, max_calls=2), c.client(3, max_calls=9)], 0)
    assert (await rows(world, CLIENT))["client"]["max_calls"] == 3
    await model.apply([c.client(4, max_calls=4)], 0)
    assert (await rows(world, CLIENT))["client"]["max_calls"] == 4


@BOTH
async def test_a_tombstone_keeps_late_events_out(world: World) -> None:
    """A deleted device that comes back by a redelivered event could call for ever."""
    model = ReadModel(world.batch)
    gone = Change("device", c.DEVICE, 3, c.BRAND, c.CLIENT, None, "5-0")
    await model.apply([c.brand(), c.client(), c.device(), gone], 0)
    await model.apply([c.device(version=2)], 0)
    assert f"device:{c.DEVICE}" not in await rows(world, CLIENT)
    assert await names(world) == {}


async def test_tombstones_are_swept_once_no_late_event_can_come(world: World) -> None:
    """Seven days later they only fill memory; what was made again meanwhile stays (SWEPT, ALIVE)."""
    model = ReadModel(world.batch)
    gone = [Change("ddi", i, 2, c.BRAND, c.CLIENT, None, "5-0") for i in (c.DDI, c.DDI_2)]
    await model.apply([c.brand(), c.client(), c.ddi(), c.ddi(c.DDI_2, c.NUMBER_2), *gone], 1000)
    await model.apply([c.ddi(version=3)], 2000)
    assert await model.sweep(1000 + TOMBSTONE_MS - 1) == 0
    assert await model.sweep(1000 + TOMBSTONE_MS) == 1
    assert set(await rows(world, CLIENT)) == {"client", f"ddi:{c.DDI}"}
    assert await world.batch.execute("HEXISTS", CLIENT, f"ddi:{c.DDI_2}") == 0
    assert await model.sweep(10**15) == 0


@BOTH
async def test_a_number_that_moved_leaves_where_it_was(world: World) -> None:
    """Two clients with the same DDI would both present it, and both be charged for its calls."""
    model = ReadModel(world.batch)
    other = "019a0000-0000-7000-8000-0000000000cc"
    await model.apply([c.brand(), c.client(), c.ddi()], 0)
    await model.apply([c.ddi(version=2, owner=None)], 0)
    assert f"ddi:{c.DDI}" not in await rows(world, CLIENT)
    assert f"ddi:{c.DDI}" in await rows(world, POOL)
    await model.apply([c.ddi(version=3, owner=other)], 0)
    assert f"ddi:{c.DDI}" in await rows(world, keys.client(c.PARTITION, other))
    assert await rows(world, POOL) == {}
    await model.apply([c.ddi(version=2, owner=None), c.ddi(version=1)], 0)
    assert await rows(world, POOL) == {}
    assert f"ddi:{c.DDI}" not in await rows(world, CLIENT)


async def test_two_members_moving_a_number_at_once_leave_it_in_one_place(world: World) -> None:
    """Both read the owner, one writes first: the other is told MOVED and looks again."""
    one, two = ReadModel(world.batch), ReadModel(world.batch)
    others = [f"019a0000-0000-7000-8000-0000000001{n:02d}" for n in range(20)]
    await one.apply([c.brand(), c.client(), c.ddi()], 0)
    moves = [c.ddi(version=n + 2, owner=owner) for n, owner in enumerate(others)]
    import asyncio

    await asyncio.gather(*((one if n % 2 else two).apply([move], 0) for n, move in enumerate(moves)))
    holders = [
        o for o in (c.CLIENT, *others) if f"ddi:{c.DDI}" in await rows(world, keys.client(c.PARTITION, o))
    ]
    assert holders == [others[-1]]


async def test_the_script_refuses_a_stale_idea_of_the_owner(world: World) -> None:
    """MOVED: the former place would otherwise keep the number for ever."""
    from call_control.adapters.read_model import _apply

    model = ReadModel(world.batch)
    await model.apply([c.brand(), c.client(), c.ddi()], 0)
    argv = [f"ddi:{c.DDI}", 2, "9-0", "event", "{}", "pool", "somebody else", "", "", 0, ""]
    names_ = [POOL, POOL, keys.owners(c.PARTITION, c.BRAND), keys.unused(POOL), keys.tombstones(POOL)]
    assert await _apply.run(world.batch, names_, argv) == [b"MOVED"]


async def test_a_renamed_device_is_found_by_its_new_name_only(world: World) -> None:
    """The old name may be given to another client's device at once."""
    model = ReadModel(world.batch)
    await model.apply([c.brand(), c.client(), c.device()], 0)
    await model.apply([c.device("casa9", version=2)], 0)
    assert await names(world) == {"casa9": c.CLIENT}


async def test_a_name_taken_by_another_client_is_not_taken_away_again(world: World) -> None:
    """Events of two devices may cross: deleting the old one must not make the new one unknown."""
    model = ReadModel(world.batch)
    other = "019a0000-0000-7000-8000-0000000000cc"
    await model.apply([c.brand(), c.client(), c.device()], 0)
    taken = Change("device", c.OTHER_DEVICE, 1, c.BRAND, other, {"name": "casa1"}, "4-0")
    gone = Change("device", c.DEVICE, 2, c.BRAND, c.CLIENT, None, "5-0")
    await model.apply([taken], 0)
    await model.apply([gone], 0)
    assert await names(world) == {"casa1": other}


async def test_rows_wait_for_their_brand(world: World) -> None:
    """Streams of two services are not ordered: a row whose partition is not known must come again."""
    model = ReadModel(world.batch)
    assert await model.apply([c.client()], 0) == [c.client()]
    with pytest.raises(BrandUnknown):
        await model.partition(c.BRAND)
    assert await model.apply([c.client(), c.brand()], 0) == []
    assert await ReadModel(world.batch).partition(c.BRAND) == c.PARTITION


async def test_rows_of_a_deleted_brand_belong_nowhere(world: World) -> None:
    """They would wait for ever, and fill the pending list."""
    gone = Change("brand", c.BRAND, 2, c.BRAND, None, None, "5-0")
    await ReadModel(world.batch).apply([c.brand(), gone], 0)
    assert await ReadModel(world.batch).apply([c.client()], 0) == []
    assert await rows(world, CLIENT) == {}


async def test_every_change_is_announced_also_one_that_changed_nothing(world: World) -> None:
    """A crash between write and announcement: the redelivered event must still empty the caches."""
    model = ReadModel(world.batch)
    await model.apply([c.brand()], 0)
    before = await world.redis.xlen(INVALIDATE)
    for _ in range(2):
        await model.apply([c.client(), c.device(), c.carrier(), c.edge(), c.plan()], 0)
    entries: Any = await world.redis.xrange(INVALIDATE)
    announced = [(e[b"kind"], e[b"id"]) for _, e in entries[before:]]
    once = [
        (b"client", c.CLIENT.encode()),
        (b"brand", c.BRAND.encode()),
        (b"edges", c.EDGE.encode()),
        (b"rates", c.PLAN.encode()),
    ]
    assert sorted(announced) == sorted(once * 2)


async def test_a_snapshot_replaces_what_is_older_even_with_a_lower_version(world: World) -> None:
    """Postgres restored from last night counts versions from there: its rows must still win."""
    model = ReadModel(world.batch)
    await model.apply(
        [c.brand(), c.row("client", c.CLIENT, {"name": "new"}, 9, client_id=c.CLIENT, position="50-0")], 0
    )
    older = c.row("client", c.CLIENT, {"name": "restored"}, 5, client_id=c.CLIENT, position="40-0")
    await model.apply([older], 0, "snapshot")
    assert (await rows(world, CLIENT))["client"]["name"] == "new"
    newer = c.row("client", c.CLIENT, {"name": "restored"}, 5, client_id=c.CLIENT, position="60-1")
    await model.apply([newer], 0, "snapshot")
    assert (await rows(world, CLIENT))["client"]["name"] == "restored"


async def test_a_direct_device_is_indexed_by_its_address(world: World) -> None:
    """It has no digest to name it; one that becomes registering leaves the index."""
    model = ReadModel(world.batch)
    direct = c.device(direct_connectivity=True, ip="203.0.113.7", port=5060)
    await model.apply([c.brand(), c.client(), direct], 0)
    key = keys.brand(c.PARTITION, c.BRAND)
    assert (await rows(world, key))[f"direct:{c.DEVICE}"]["client_id"] == c.CLIENT
    await model.apply([c.device(version=2)], 0)
    assert await world.batch.execute("HGETALL", key) == {}
    await model.apply([direct], 0)
    assert await rows(world, key) == {}, "late, and older than what the device is now"


async def test_a_device_that_registers_tells_nobody_of_its_brand(world: World) -> None:
    """ABSENT: with 100,000 devices each change of one would have the whole brand read anew by every worker,
    and leave a trace in the hash that is read for it."""
    model = ReadModel(world.batch)
    await model.apply([c.brand(), c.client()], 0)
    await world.redis.delete(INVALIDATE)
    await model.apply([c.device()], 0)
    direct = c.device("pbx", c.OTHER_DEVICE, direct_connectivity=True, ip="203.0.113.7", port=5060)

    async def kinds() -> list[bytes]:
        entries: Any = await world.redis.xrange(INVALIDATE)
        return [entry[b"kind"] for _, entry in entries]

    told = await kinds()
    await model.apply([direct], 0)
    after = await kinds()
    assert (told, after) == ([b"client"], [b"client", b"client", b"brand"])
    assert set(await rows(world, keys.brand(c.PARTITION, c.BRAND))) == {f"direct:{c.OTHER_DEVICE}"}


async def test_what_follows_a_row_is_written_when_the_row_itself_came_before(world: World) -> None:
    """SAME: killed between the two, the event comes again; the device must be found by its address then."""
    model, key = ReadModel(world.batch), keys.brand(c.PARTITION, c.BRAND)
    direct = c.device(direct_connectivity=True, ip="203.0.113.7", port=5060)
    await model.apply([c.brand(), c.client(), direct], 0)
    await world.batch.execute("HDEL", key, f"direct:{c.DEVICE}")
    await model.apply([direct], 0)
    assert set(await rows(world, key)) == {f"direct:{c.DEVICE}"}


async def test_large_versions_survive_lua(world: World) -> None:
    """Lua counts in doubles and writes 1e+15: a version read back must be the one written."""
    await ReadModel(world.batch).apply([c.brand(), c.client(9_007_199_254_740_991)], 0)
    raw = await world.batch.execute("HGET", CLIENT, "client")
    assert msgspec.json.decode(raw)["v"] == 9_007_199_254_740_991


@BOTH
async def test_a_number_leads_to_whoever_has_it(world: World) -> None:
    """Given, moved to the pool, to another client, deleted: calls from outside find its owner by it."""
    model, index = ReadModel(world.batch), keys.ddi_numbers(c.PARTITION, c.BRAND)

    async def owner() -> bytes | None:
        found: bytes | None = await world.batch.execute("HGET", index, c.NUMBER)
        return found

    other = c.CLIENT[:-1] + "9"
    for version, (holder, expected) in enumerate(
        [(c.CLIENT, c.CLIENT), (None, keys.POOL), (other, other), (None, keys.POOL)], 1
    ):
        await model.apply([c.brand(), c.ddi(version=version, owner=holder)], 0)
        assert await owner() == expected.encode()
    gone = c.ddi(version=5, owner=None)
    await model.apply([Change(gone.entity, gone.entity_id, 5, gone.brand_id, None, None, "9-0")], 0)
    assert await owner() is None
