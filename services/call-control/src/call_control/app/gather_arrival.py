"""Fetching what a call from outside needs: whose address it came from, whose number it wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from call_control.domain.address_book import AddressBook
from call_control.domain.admission.arrival import called_number
from call_control.domain.admission.request import CallRequest
from call_control.domain.facts import (
    Arrival,
    BrandFacts,
    ClientFacts,
    Contact,
    Ddi,
    DeviceFacts,
    ProviderAddress,
)

POOL = "pool"


class KnowsAddresses(Protocol):
    """`adapters.facts_cache.Directory`, as far as needed here."""

    addresses: AddressBook


class NumbersSource(Protocol):
    """`adapters.facts_cache.FactsCache`, as far as needed here."""

    async def directory(self) -> KnowsAddresses: ...
    async def brand(self, brand_id: str) -> BrandFacts | None: ...
    async def client(self, brand_id: str, client_id: str) -> ClientFacts | None: ...
    async def owner_of_number(self, brand_id: str, number: str) -> str | None: ...
    def forget_number(self, brand_id: str, number: str) -> None: ...


class ContactsSource(Protocol):
    """`adapters.registrations.Registrations`, as far as needed here."""

    async def contacts(self, partition: int, device_id: str) -> tuple[Contact, ...]: ...


class Arrived(NamedTuple):
    """What was found; None where there was nothing."""

    brand: BrandFacts | None = None
    client: ClientFacts | None = None
    device: DeviceFacts | None = None
    arrival: Arrival | None = None


class GatherArrival:
    """All facts of an inbound call but those that every call needs."""

    def __init__(self, source: NumbersSource, contacts: ContactsSource) -> None:
        self._source = source
        self._contacts = contacts

    async def is_providers(self, source_ip: str) -> bool:
        """Whether calls may come in from there."""
        return bool((await self._source.directory()).addresses.at(source_ip))

    async def __call__(self, request: CallRequest) -> Arrived:
        """The provider whose brand has the number; of several, the one that the number is linked to."""
        directory = await self._source.directory()
        found = [await self._one(each, request) for each in directory.addresses.at(request.source_ip)]
        best = _best([each for each in found if each is not None])
        if best.arrival is None or best.device is None or best.brand is None or best.device.direct:
            return best
        contacts = await self._contacts.contacts(best.brand.partition, best.device.id)
        seen = best.arrival
        arrival = Arrival(seen.provider, seen.trusted, seen.number, seen.owner, seen.ddi, contacts)
        return best._replace(arrival=arrival)

    async def _one(self, at: ProviderAddress, request: CallRequest) -> Arrived | None:
        brand = await self._source.brand(at.brand_id)
        provider = brand.providers.get(at.provider_id) if brand is not None else None
        if brand is None or provider is None or not provider.enabled:
            return None
        number = called_number(brand, provider, request)
        owner, client, ddi = await self._owner(brand, number)
        device = (
            client.devices_by_id.get(ddi.device_id or "") if client is not None and ddi is not None else None
        )
        return Arrived(brand, client, device, Arrival(provider, at.trusted, number, owner, ddi))

    async def _owner(
        self, brand: BrandFacts, number: str
    ) -> tuple[str | None, ClientFacts | None, Ddi | None]:
        for _ in range(2):
            owner = await self._source.owner_of_number(brand.id, number)
            if owner is None or owner == POOL:
                return owner, None, None
            client = await self._source.client(brand.id, owner)
            ddi = client.ddis.get(number) if client is not None else None
            if ddi is not None:
                return owner, client, ddi
            self._source.forget_number(brand.id, number)  # it has moved, or is gone: look once more
        return None, None, None


def _best(found: Sequence[Arrived]) -> Arrived:
    def rank(one: Arrived) -> int:
        arrival = one.arrival
        if arrival is None:
            return 3
        if arrival.ddi is not None:
            return 0 if arrival.ddi.provider_id == arrival.provider.id else 1
        return 2 if arrival.owner is not None else 3

    return min(found, key=rank, default=Arrived())
