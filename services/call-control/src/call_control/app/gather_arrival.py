"""Fetching what a call from outside needs: whose address it came from, whose number it wants."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from call_control.domain.address_book import AddressBook
from call_control.domain.admission.arrival import called_number, shown_number
from call_control.domain.admission.request import CallRequest
from call_control.domain.facts import (
    Arrival,
    BrandFacts,
    ClientFacts,
    Contact,
    Ddi,
    DdiProvider,
    DeviceFacts,
    ProviderAddress,
    ProviderRegistration,
)

POOL = "pool"
ON_NET = DdiProvider(id="", name="on-net")
"""Stands for the provider of an on-net call: it writes E.164, and is trusted."""


class KnowsAddresses(Protocol):
    """`adapters.facts_cache.Directory`, as far as needed here."""

    accounts: dict[str, ProviderRegistration]
    addresses: AddressBook


class NumbersSource(Protocol):
    """`adapters.facts_cache.FactsCache`, as far as needed here."""

    async def directory(self) -> KnowsAddresses: ...
    async def brand(self, brand_id: str) -> BrandFacts | None: ...
    async def client(self, brand_id: str, client_id: str) -> ClientFacts | None: ...
    async def owner_of_number(self, brand_id: str, number: str) -> str | None: ...
    def perhaps_ours(self, number: str) -> bool: ...
    async def brand_of_number(self, number: str) -> str | None: ...
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

    async def brands_at(self, source_ip: str) -> set[str]:
        """The brands that have a provider there: calls may come in from it, if there are any."""
        return {each.brand_id for each in (await self._source.directory()).addresses.at(source_ip)}

    async def __call__(self, request: CallRequest) -> Arrived:
        """The provider whose brand has the number; of several, the one that the number is linked to."""
        found = [await self._one(each, request) for each in await self._providers_of(request)]
        best = _best([each for each in found if each is not None])
        seen, brand = best.arrival, best.brand
        if seen is None or brand is None:
            return best
        shows_ours = brand.reject_spoofed and await self._shows_ours(brand, seen, request)
        return await self._reached(best._replace(arrival=replace(seen, shows_ours=shows_ours)))

    async def _providers_of(self, request: CallRequest) -> list[ProviderAddress]:
        """By the account whose contact was called, wherever from; else by the source address."""
        directory = await self._source.directory()
        known = directory.addresses.at(request.source_ip)
        if request.registration_id is None:
            return known
        account = directory.accounts.get(request.registration_id)
        if account is None or not account.enabled:
            return []
        trusted = any(each.trusted and each.provider_id == account.provider_id for each in known)
        here = ip_network(request.source_ip)
        return [ProviderAddress(account.brand_id, account.provider_id, here, trusted)]

    async def on_platform(self, number: str) -> Arrived | None:
        """The called side of an on-net call: whose active number it is; None when it is no number of ours."""
        for _ in range(2):
            brand_id = await self._source.brand_of_number(number)
            brand = await self._source.brand(brand_id) if brand_id is not None else None
            if brand is None:
                return None
            owner, client, ddi = await self._owner(brand, number)
            if owner is None:
                self._source.forget_number(brand.id, number)
                continue
            if ddi is not None and not (ddi.active and ddi.kind == "inout"):
                return None
            device = client.devices_by_id.get(ddi.device_id or "") if client and ddi else None
            arrival = Arrival(ON_NET, True, number, owner, ddi, on_net=True)
            return await self._reached(Arrived(brand, client, device, arrival))
        return None

    async def _reached(self, best: Arrived) -> Arrived:
        """With the contacts of a device that registers."""
        device, brand, seen = best.device, best.brand, best.arrival
        assert brand is not None
        assert seen is not None
        if device is None or device.direct or seen.ddi is None or seen.ddi.target != "device":
            return best
        contacts = await self._contacts.contacts(brand.partition, device.id)
        return best._replace(arrival=replace(seen, contacts=contacts))

    async def _shows_ours(self, brand: BrandFacts, seen: Arrival, request: CallRequest) -> bool:
        shown = shown_number(brand, seen.provider, seen.trusted, request)
        if not shown or not self._source.perhaps_ours(shown):
            return False
        return await self._source.brand_of_number(shown) is not None

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
            if owner is None:
                return None, None, None
            if owner == POOL:
                callable_now = await self._source.brand_of_number(number) == brand.id
                return POOL if callable_now else None, None, None
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
