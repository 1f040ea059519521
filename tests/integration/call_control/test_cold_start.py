"""Building the read model from nothing, following the ledger, fetching decks."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from call_control.adapters import read_model_keys as keys
from call_control.adapters.deck_files import DeckFiles
from call_control.adapters.placement import Change
from call_control.adapters.read_model import ReadModel, read_fields
from call_control.adapters.snapshots import BILLING, PROVISIONING, Peers, SnapshotCutShort
from call_control.consumers.config import ConfigHandler, RatesHandler
from call_control.consumers.ledger import LedgerHandler
from call_control.consumers.rebuild import Rebuild
from landline.chassis.stream_consumer import NotYet
from landline.chassis.streams import Entry
from landline.contracts.billing.events import PlanPublished, PostingMade, ProfilePublished, TariffPublished
from landline.contracts.envelope import FIELD, Event, seal
from landline.contracts.provisioning.events import EntityChanged
from landline.kernel.clock import SetClock
from landline.rating.errors import DeckDamaged
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.support import configured as c
from tests.support.money_world import World
from tests.support.stack import free_port

CLOCK = SetClock(1_795_348_800_000)
KEY = "internal-key"


class Neighbours:
    """Provisioning and billing as call-control sees them: two snapshots, postings, deck files."""

    def __init__(self) -> None:
        self.position = "100-0"
        self.rows: list[Change] = []
        self.rates: list[Change] = []
        self.balances: list[dict[str, Any]] = []
        self.postings: list[PostingMade] = []
        self.decks: dict[str, bytes] = {}
        self.cut_short = False
        self.fetched = 0

    async def provisioning(self, request: Request) -> Response:
        return self._lines(request, [_line(row) for row in self.rows])

    async def billing(self, request: Request) -> Response:
        return self._lines(request, [*(_line(row) for row in self.rates), *self.balances])

    def _lines(self, request: Request, rows: list[dict[str, Any]]) -> Response:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        last = [] if self.cut_short else [{"complete": True, "rows": len(rows)}]
        lines = [{"position": self.position}, *rows, *last]
        return PlainTextResponse(b"\n".join(msgspec.json.encode(line) for line in lines))

    async def list_postings(self, request: Request) -> Response:
        after = int(request.query_params["after"])
        found = [p for p in self.postings if p.sequence > after][:2]
        return JSONResponse({"items": msgspec.to_builtins(found)})

    async def deck(self, request: Request) -> Response:
        self.fetched += 1
        return Response(self.decks[request.path_params["deck"]])

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Their address, while the block runs."""
        deck = "/api/billing/v1/internal/decks/{deck}/{version}"
        routes = [
            Route(PROVISIONING, self.provisioning),
            Route(BILLING, self.billing),
            Route("/api/billing/v1/internal/postings", self.list_postings),
            Route(deck, self.deck),
        ]
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=port, log_config=None))
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await task


def _line(row: Change) -> dict[str, Any]:
    return {
        "entity": row.entity,
        "entity_id": row.entity_id,
        "entity_version": row.version,
        "brand_id": row.brand_id,
        "client_id": row.client_id,
        "data": row.data,
    }


def rebuild(world: World, url: str) -> Rebuild:
    """A rebuild of this world from the neighbours at `url`."""
    peers = Peers(url, lambda: KEY)
    return Rebuild(world.batch, ReadModel(world.batch), peers, world.postings, CLOCK)


def whole(tmp_path: Path) -> Neighbours:
    """Neighbours that know the configured brand and its client's balance."""
    found = Neighbours()
    for row in c.everything(tmp_path):
        (found.rates if row.entity in ("plan", "deck", "profile") else found.rows).append(row)
    balance = {"client_id": c.CLIENT, "brand_id": c.BRAND, "applied_seq": 7, "settled_micros": 5_000_000}
    found.balances = [balance]
    return found


async def client_row(world: World) -> dict[str, Any]:
    """The client's hash."""
    raw = await world.batch.execute("HGETALL", keys.client(c.PARTITION, c.CLIENT))
    return read_fields(raw)


async def test_a_cold_start_builds_everything_from_the_snapshots(world: World, tmp_path: Path) -> None:
    """Redis empty: without this no call is possible until every row has changed once."""
    neighbours = whole(tmp_path)
    async with neighbours.serving() as url:
        building = rebuild(world, url)
        assert await building.needed()
        assert await building.run() == {"config": "100-0", "rates": "100-0", "at": str(CLOCK.now_ms())}
        assert not await building.needed()
    assert set(await client_row(world)) >= {"client", f"device:{c.DEVICE}", f"profile:{c.PROFILE}"}
    usage = await world.calls.client_usage(c.PARTITION, c.CLIENT, "UTC", CLOCK.now_ms())
    assert (usage.settled_micros, usage.applied_seq) == (5_000_000, 7)


async def test_a_rebuild_removes_what_the_snapshot_lacks_and_keeps_what_is_newer(
    world: World, tmp_path: Path
) -> None:
    """A lost tombstone leaves a device that calls for ever; a row made during the rebuild must survive it."""
    neighbours = whole(tmp_path)
    model = ReadModel(world.batch)
    stale, fresh = "019a0000-0000-7000-8000-0000000000d8", "019a0000-0000-7000-8000-0000000000d9"
    await model.apply([c.brand(), c.client(), c.device("ghost", stale)], 0)
    newer = c.row("device", fresh, {"name": "fresh"}, client_id=c.CLIENT, position="200-0")
    await model.apply([newer], 0)
    async with neighbours.serving() as url:
        await rebuild(world, url).run()
    found = await client_row(world)
    assert f"device:{stale}" not in found
    assert f"device:{fresh}" in found
    assert f"profile:{c.PROFILE}" in found


async def test_a_snapshot_cut_short_is_not_taken_for_the_whole(world: World, tmp_path: Path) -> None:
    """Provisioning died while sending: removing "what it lacks" would delete half the clients."""
    neighbours = whole(tmp_path)
    await ReadModel(world.batch).apply(c.everything(tmp_path), 0)
    neighbours.rows, neighbours.cut_short = neighbours.rows[:3], True
    async with neighbours.serving() as url:
        with pytest.raises(SnapshotCutShort):
            await rebuild(world, url).run()
        assert await rebuild(world, url).needed()
    assert "client" in await client_row(world)
    assert not await world.batch.execute("EXISTS", keys.REBUILDING)


def entry(event: Event, entry_id: str = "1-0", **envelope: Any) -> Entry:
    """A stream entry of an event."""
    return Entry("s", entry_id, {FIELD: seal(event, producer="test", now_ms=0, **envelope)})


async def test_config_events_become_rows(world: World) -> None:
    """The consumer's batch: what concerns us is applied, what does not (admins, sessions) is passed over."""
    handler = ConfigHandler(ReadModel(world.batch), CLOCK)
    client = EntityChanged(entity="client", entity_id=c.CLIENT, entity_version=1, data=c.client().data or {})
    admin = EntityChanged(entity="admin", entity_id="a", entity_version=1)
    with pytest.raises(NotYet):
        await handler([entry(client, brand_id=c.BRAND, client_id=c.CLIENT)])
    brand = EntityChanged(entity="brand", entity_id=c.BRAND, entity_version=1, data=c.brand().data or {})
    batch = [
        entry(client, brand_id=c.BRAND, client_id=c.CLIENT),
        entry(brand, brand_id=c.BRAND),
        entry(admin),
    ]
    await handler(batch)
    assert (await client_row(world))["client"]["name"] == "Casa Garcia"
    gone = EntityChanged(entity="client", entity_id=c.CLIENT, entity_version=2, deleted=True)
    await handler([entry(gone, "2-0", brand_id=c.BRAND, client_id=c.CLIENT)])
    assert await client_row(world) == {}


async def test_rates_events_become_plans_profiles_and_decks(world: World) -> None:
    """All that pricing needs arrives on one stream; a deleted profile takes the client's price away."""
    model = ReadModel(world.batch)
    await model.apply([c.brand(), c.client()], 0)
    handler = RatesHandler(model, CLOCK)
    profile = ProfilePublished(profile_id=c.PROFILE, version=1, client_id=c.CLIENT, plan_id=c.PLAN)
    gone = ProfilePublished(profile_id=c.PROFILE, version=2, client_id=c.CLIENT, deleted=True)
    deck = TariffPublished(deck_id=c.DECK, version=3, rows=1, sha256="00")
    await handler(
        [entry(e, brand_id=c.BRAND) for e in (deck, PlanPublished(plan_id=c.PLAN, version=1), profile)]
    )
    assert f"profile:{c.PROFILE}" in await client_row(world)
    for key, field in ((keys.PLANS, c.PLAN), (keys.DECKS, c.DECK)):
        assert field in read_fields(await world.batch.execute("HGETALL", key))
    await handler([entry(gone, "2-0", brand_id=c.BRAND)])
    assert f"profile:{c.PROFILE}" not in await client_row(world)


def posting(sequence: int, balance: int) -> PostingMade:
    """A top-up of the client."""
    return PostingMade(
        client_id=c.CLIENT,
        sequence=sequence,
        kind="top_up",
        amount_micros=1,
        balance_after_micros=balance,
    )


async def test_a_gap_in_the_ledger_is_filled_from_billing(world: World) -> None:
    """A posting lost on the way would leave every later balance unapplied: calls refused, or given away."""
    model, neighbours = ReadModel(world.batch), Neighbours()
    await model.apply([c.brand()], 0)
    neighbours.postings = [posting(n, n * 100) for n in range(1, 6)]
    async with neighbours.serving() as url:
        handler = LedgerHandler(world.postings, model, Peers(url, lambda: KEY).postings)
        await handler([entry(posting(1, 100), brand_id=c.BRAND, client_id=c.CLIENT)])
        await handler([entry(posting(5, 500), brand_id=c.BRAND, client_id=c.CLIENT)])
        usage = await world.calls.client_usage(c.PARTITION, c.CLIENT, "UTC", CLOCK.now_ms())
        assert (usage.applied_seq, usage.settled_micros) == (5, 500)
        with pytest.raises(NotYet):
            await handler([entry(posting(9, 900), brand_id=c.BRAND, client_id=c.CLIENT)])


async def test_a_deck_is_fetched_once_for_all_processes_of_a_host(tmp_path: Path) -> None:
    """Ten workers must not download ten times; a wrong file must never be priced by."""
    neighbours = Neighbours()
    row = c.deck(tmp_path / "made").data or {}
    neighbours.decks[c.DECK] = (tmp_path / "made" / f"{c.DECK}-1.deck").read_bytes()
    async with neighbours.serving() as url:
        workers = [DeckFiles(tmp_path / "rates", url, lambda: KEY) for _ in range(5)]
        decks = await asyncio.gather(*(w.opened(c.DECK, 1, row["sha256"]) for w in workers))
        assert neighbours.fetched == 1
        assert {deck.rows for deck in decks} == {3}
        assert await workers[0].opened(c.DECK, 1, row["sha256"]) is decks[0]
        workers[0].keep_only(set())
        assert await workers[0].opened(c.DECK, 1, row["sha256"]) is not decks[0]
        with pytest.raises(DeckDamaged):
            await workers[1].opened(c.DECK, 2, hashlib.sha256(b"other").hexdigest())
        assert not workers[1].path(c.DECK, 2).exists()


async def test_billing_away_is_an_error_that_can_be_tried_again(tmp_path: Path) -> None:
    """A connection refused must not leave half a file or a lock behind."""
    files = DeckFiles(tmp_path, f"http://127.0.0.1:{free_port()}", lambda: KEY)
    for _ in range(2):
        with pytest.raises(httpx.HTTPError):
            await files.opened(c.DECK, 1, "00")
    assert list(tmp_path.glob("*.deck")) == []
