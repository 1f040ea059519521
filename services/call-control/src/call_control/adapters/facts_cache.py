"""Facts in this process: brands, edges and rates whole, clients in a bounded LRU (brief: read model).

A miss costs one HGETALL; concurrent misses of one key share it. `landline:invalidate` says what changed: a
change acts on the next call within a second. When entries of that stream may have been missed, everything
cached is stale at once and read again on its next use.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import structlog
from landline.chassis.invalidation import Tail
from landline.chassis.redis import AutoBatch
from landline.chassis.streams import Entry
from landline.contracts.streams import INVALIDATE
from landline.rating.deck_file import Deck

from call_control.adapters import read_model_keys as keys
from call_control.adapters.deck_files import DeckFiles
from call_control.adapters.fact_parsing import (
    Unseal,
    brand_facts,
    client_facts,
    edge_facts,
    platform_facts,
    provider_addresses,
    provider_registrations,
)
from call_control.adapters.keys import keys_of
from call_control.adapters.model_rows import OUTAGE, RedisAway, RedisRows, Rows
from call_control.adapters.platform_numbers import PlatformNumbers
from call_control.adapters.rate_facts import plan_of
from call_control.adapters.read_model import read_fields
from call_control.domain.address_book import AddressBook
from call_control.domain.facts import BrandFacts, ClientFacts, EdgeFacts, PlatformFacts
from call_control.domain.rates import RateBook

CLIENTS_KEPT = 50_000
NAMES_KEPT = 200_000
UNKNOWN_NAME_S = 1.0
STALE_TAIL_S = 5.0
DECK_RETRY_S = 2.0

K = TypeVar("K")
V = TypeVar("V")
log = structlog.get_logger(__name__)


class Loading(Generic[K, V]):
    """A bounded cache whose misses are loaded once, however many ask; an invalidated load is not kept.

    What was forgotten is served once more only while it can't be read anew, because Redis is away; what was
    never known is then loaded by `again`, from the copy on disk. So emergency calls are decided, and others
    as their clients' outage policy says: nothing gets past the counters.
    """

    def __init__(
        self,
        load: Callable[[K], Awaitable[V]],
        keep: int,
        again: Callable[[K], Awaitable[V]] | None = None,
    ) -> None:
        self._load = load
        self._again = again
        self._keep = keep
        self._known: OrderedDict[K, V] = OrderedDict()
        self._old: OrderedDict[K, V] = OrderedDict()
        self._flights: dict[K, asyncio.Task[V]] = {}

    def known(self, key: K) -> V | None:
        """What is cached, at no cost."""
        return self._known.get(key)

    def used(self, key: K) -> V | None:
        """What is cached, kept a while longer for being used."""
        value = self._known.get(key)
        if value is not None:
            self._known.move_to_end(key)
        return value

    def values(self) -> list[V]:
        """All that is cached."""
        return list(self._known.values())

    async def get(self, key: K) -> V:
        """The value, loaded if need be. Raises what the load raises; a failure is not remembered."""
        try:
            value = self._known[key]
        except KeyError:
            return await self._fly(key)
        self._known.move_to_end(key)
        return value

    async def _fly(self, key: K) -> V:
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._run(key))
        return await asyncio.shield(flight)

    async def _run(self, key: K) -> V:
        me = asyncio.current_task()
        try:
            value = await self._load(key)
            if self._flights.get(key) is me:  # not invalidated meanwhile
                self._known[key] = value
                self._old.pop(key, None)
                if len(self._known) > self._keep:
                    self._known.popitem(last=False)
            return value
        except OUTAGE:
            if key in self._old:
                return self._old[key]
            if self._again is None:
                raise
            value = await self._again(key)
            self._retire(key, value)
            return value
        finally:
            if self._flights.get(key) is me:
                del self._flights[key]

    def forget(self, key: K) -> None:
        """Read it anew on its next use; a load in flight may already be old, so it is not kept either."""
        if key in self._known:
            self._retire(key, self._known.pop(key))
        self._flights.pop(key, None)

    def _retire(self, key: K, value: V) -> None:
        self._old[key] = value
        if len(self._old) > self._keep:
            self._old.popitem(last=False)

    def refresh(self, key: K) -> None:
        """Read it anew at once and serve what is known until it is there: for what takes long to load."""
        if key not in self._known:
            self.forget(key)
            return

        def finished(flight: asyncio.Task[V]) -> None:
            if not flight.cancelled() and flight.exception() is not None:
                self.forget(key)

        self._flights[key] = asyncio.create_task(self._run(key))
        self._flights[key].add_done_callback(finished)

    def forget_all(self) -> None:
        """Read everything anew."""
        self._old.update(self._known)
        while len(self._old) > self._keep:
            self._old.popitem(last=False)
        self._known.clear()
        self._flights.clear()


class Directory:
    """What is global and small: brands by id and SIP domain, edges by key prefix, whose address is whose,
    accounts at DDI providers."""

    __slots__ = ("accounts", "addresses", "brands", "domains", "edges")

    def __init__(
        self,
        brands: dict[str, dict[str, Any]],
        edges: dict[str, dict[str, Any]],
        addresses: dict[str, dict[str, Any]],
        accounts: dict[str, dict[str, Any]],
    ) -> None:
        self.brands = brands
        self.domains = {str(row["sip_domain"]).lower(): brand_id for brand_id, row in brands.items()}
        found = [edge_facts(edge_id, row) for edge_id, row in edges.items()]
        self.edges: dict[str, EdgeFacts] = {edge.key_prefix: edge for edge in found}
        self.addresses = AddressBook(provider_addresses(addresses))
        self.accounts = provider_registrations(accounts)


class FactsCache:
    """All facts of a process. `run` follows the invalidations; nothing is served from before it began."""

    def __init__(self, batch: AutoBatch, decks: DeckFiles, unseal: Unseal, copy: Rows | None = None) -> None:
        """`copy`: where facts are read that are not in memory while Redis is away."""
        self._batch = batch
        self._rows: Rows = RedisRows(batch)
        self._copy = copy
        self._unseal = unseal
        self._decks = decks
        self._whole: Loading[str, Directory] = self._loading(self._load_directory, 1)
        self._rates: Loading[str, RateBook] = self._loading(self._load_rates, 1)
        self._platform: Loading[str, PlatformFacts] = self._loading(self._load_platform, 1)
        self._brands: Loading[str, BrandFacts | None] = self._loading(self._load_brand, 100_000)
        self._clients: Loading[tuple[str, str], ClientFacts | None]
        self._clients = self._loading(self._load_client, CLIENTS_KEPT)
        self._names: Loading[tuple[str, str], str | None] = self._loading(self._load_name, NAMES_KEPT)
        self._numbers: Loading[tuple[str, str], str | None] = self._loading(self._load_number, NAMES_KEPT)
        self._ours = PlatformNumbers(batch)
        self._owners: Loading[str, str | None] = self._loading(self._load_owner, NAMES_KEPT)
        self._tail = Tail(batch.redis, INVALIDATE, self._on_entry, self._on_gap)

    def _loading(self, load: Callable[[K, Rows], Awaitable[V]], keep: int) -> Loading[K, V]:
        """A cache of what `load` reads: from Redis, or else from the copy."""
        copy = self._copy
        again = None if copy is None else lambda key: load(key, copy)
        return Loading(lambda key: load(key, self._rows), keep, again)

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the invalidations until told to stop."""
        loading = asyncio.create_task(self._ours.run())
        try:
            await self._tail.run(stop)
        finally:
            loading.cancel()

    def missing(self) -> str | None:
        """For readiness: None, or that changes are not seen at the moment."""
        return None if self._tail.age_s() < STALE_TAIL_S else "changes of configuration are not seen"

    async def directory(self) -> Directory:
        """Brands and edges."""
        return self._whole.known("") or await self._whole.get("")

    async def rates(self) -> RateBook:
        """Plans and decks."""
        return self._rates.known("") or await self._rates.get("")

    async def brand(self, brand_id: str) -> BrandFacts | None:
        """A brand's facts, or None."""
        return self._brands.known(brand_id) or await self._brands.get(brand_id)

    def known_caller(self, domain: str, name: str) -> tuple[BrandFacts, ClientFacts, RateBook] | None:
        """A device's brand and client, and the rates, if all of it is in memory; nothing is read."""
        directory, rates = self._whole.known(""), self._rates.known("")
        brand_id = directory.domains.get(domain) if directory is not None else None
        if rates is None or brand_id is None:
            return None
        client_id = self._names.used((brand_id, name))
        client = self._clients.used((brand_id, client_id)) if client_id is not None else None
        brand = self._brands.known(brand_id)
        return None if client is None or brand is None else (brand, client, rates)

    async def brand_of_domain(self, domain: str) -> BrandFacts | None:
        """The brand of a SIP domain (lower case), or None."""
        brand_id = (await self.directory()).domains.get(domain)
        return None if brand_id is None else await self.brand(brand_id)

    async def client(self, brand_id: str, client_id: str) -> ClientFacts | None:
        """A client's facts, or None."""
        return await self._clients.get((brand_id, client_id))

    async def client_of_device(self, brand_id: str, name: str) -> str | None:
        """The client whose device has this name in the brand, or None (believed for a second only)."""
        return await self._names.get((brand_id, name))

    async def owner_of_number(self, brand_id: str, number: str) -> str | None:
        """The client that has a DDI of the brand, `pool`, or None; the last two are believed for a second."""
        return await self._numbers.get((brand_id, number))

    def perhaps_ours(self, number: str) -> bool:
        """False: certainly no active number of this platform. Costs nothing."""
        return self._ours.perhaps(number)

    async def brand_of_number(self, number: str) -> str | None:
        """The brand that has an active number that can be called, or None (believed for a second only)."""
        return await self._owners.get(number)

    async def find_client(self, client_id: str) -> ClientFacts | None:
        """A client by its id alone: looked for in every partition in use. Not for the hot path."""
        brands = (await self.directory()).brands
        partitions = sorted({int(row["partition"]) for row in brands.values()})
        for raw in await asyncio.gather(
            *(self._batch.execute("HGET", keys.client(k, client_id), "client") for k in partitions)
        ):
            row = read_fields({b"client": raw}).get("client") if raw is not None else None
            if row is not None:
                return await self.client(row["brand_id"], client_id)
        return None

    async def brand_active(self, partition: int, brand_id: str) -> int:
        """How many calls a brand has now."""
        return int(await self._batch.execute("HGET", keys_of(partition).brand(brand_id), "active") or 0)

    def forget_name(self, brand_id: str, name: str) -> None:
        """A name led to a client that has no such device: it may have moved."""
        self._names.forget((brand_id, name))

    def forget_number(self, brand_id: str, number: str) -> None:
        """A number led to a client that does not have it: it may have moved."""
        self._numbers.forget((brand_id, number))
        self._owners.forget(number)

    async def _load_directory(self, _key: str, rows: Rows) -> Directory:
        found = await rows.hashes(
            keys.BRANDS, keys.EDGES, keys.PROVIDER_ADDRESSES, keys.PROVIDER_REGISTRATIONS
        )
        return Directory(*(read_fields(each) for each in found))

    async def _load_brand(self, brand_id: str, rows: Rows) -> BrandFacts | None:
        directory = await self.directory()
        row = directory.brands.get(brand_id)
        if row is None:
            return None
        platform = self._platform.known("") or await self._platform.get("")
        own, profiles = await rows.hashes(keys.brand(row["partition"], brand_id), keys.CARRIER_PROFILES)
        return brand_facts(brand_id, row, read_fields(own), platform, read_fields(profiles), self._unseal)

    async def _load_platform(self, _key: str, rows: Rows) -> PlatformFacts:
        return platform_facts(read_fields(await rows.hash(keys.PLATFORM)))

    async def _load_client(self, key: tuple[str, str], rows: Rows) -> ClientFacts | None:
        brand_id, client_id = key
        row = (await self.directory()).brands.get(brand_id)
        if row is None:
            return None
        raw = await rows.hash(keys.client(row["partition"], client_id))
        return client_facts(client_id, brand_id, read_fields(raw))

    async def _load_name(self, key: tuple[str, str], rows: Rows) -> str | None:
        return await self._load_indexed(key, rows, keys.device_names, self._names)

    async def _load_number(self, key: tuple[str, str], rows: Rows) -> str | None:
        return await self._load_indexed(key, rows, keys.ddi_numbers, self._numbers)

    async def _load_owner(self, number: str, rows: Rows) -> str | None:
        raw = await rows.field(keys.PLATFORM_NUMBERS, number)
        if raw is None:
            asyncio.get_running_loop().call_later(UNKNOWN_NAME_S, self._owners.forget, number)
        return None if raw is None else raw.decode()

    async def _load_indexed(
        self,
        key: tuple[str, str],
        rows: Rows,
        index: Callable[[int, str], str],
        kept: Loading[tuple[str, str], str | None],
    ) -> str | None:
        """Whose a name or number is. What nobody has may be given to somebody, and nothing tells of that."""
        brand_id, name = key
        row = (await self.directory()).brands.get(brand_id)
        if row is None:
            return None
        raw = await rows.field(index(row["partition"], brand_id), name)
        if raw is None and not rows.current:
            raise RedisAway(f"and {name} is not in the copy of the facts, which may be older")
        if raw is None or raw == keys.POOL.encode():
            asyncio.get_running_loop().call_later(UNKNOWN_NAME_S, kept.forget, key)
        return None if raw is None else raw.decode()

    async def _load_rates(self, _key: str, rows: Rows) -> RateBook:
        plans, listed = (read_fields(each) for each in await rows.hashes(keys.PLANS, keys.DECKS))
        opened: dict[str, Deck] = {}
        for deck_id, row in listed.items():
            try:
                opened[deck_id] = await self._decks.opened(deck_id, row["version"], row["sha256"])
            except Exception as error:  # one deck that can't be had must not stop the calls of the others
                log.error("rate deck not available", deck_id=deck_id, error=repr(error)[:200])
                asyncio.get_running_loop().call_later(DECK_RETRY_S, self._rates.refresh, "")
        self._decks.keep_only({(deck_id, row["version"]) for deck_id, row in listed.items()})
        return RateBook({plan_id: plan_of(plan_id, row) for plan_id, row in plans.items()}, opened)

    def _on_gap(self) -> None:
        whole = (self._whole, self._rates, self._platform)
        for cache in (*whole, self._brands, self._clients, self._names, self._numbers, self._owners):
            cache.forget_all()
        self._ours.reload()

    def _on_entry(self, entry: Entry) -> None:
        kind, changed = entry.fields[b"kind"].decode(), entry.fields[b"id"].decode()
        if kind == "client":
            self._clients.forget((entry.fields[b"brand"].decode(), changed))
        elif kind == "brand":
            self._brands.forget(changed)
        elif kind == "edges":
            self._whole.forget_all()
        elif kind == "number":
            self._owners.forget(changed)
            self._ours.learn(changed)
        elif kind == "rates":
            self._rates.refresh("")  # fetching a new deck takes a while: calls must not wait for it
            self._brands.forget_all()
        else:
            self._on_gap()
