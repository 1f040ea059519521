"""Fetching what a decision needs, by what the request says of itself; judging it is the pipeline's."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from call_control.app.gather_arrival import Arrived, GatherArrival
from call_control.domain.admission.identity import anonymous_from, domain_of
from call_control.domain.admission.request import CallRequest
from call_control.domain.facts import BrandFacts, ClientFacts, CountryOf, DeviceFacts, Facts
from call_control.domain.rates import RateBook


class FactsSource(Protocol):
    """`adapters.facts_cache.FactsCache`: everything from memory, or one Redis read on a miss."""

    def known_caller(self, domain: str, name: str) -> tuple[BrandFacts, ClientFacts, RateBook] | None: ...
    async def brand_of_domain(self, domain: str) -> BrandFacts | None: ...
    async def client(self, brand_id: str, client_id: str) -> ClientFacts | None: ...
    async def client_of_device(self, brand_id: str, name: str) -> str | None: ...
    def forget_name(self, brand_id: str, name: str) -> None: ...
    def perhaps_ours(self, number: str) -> bool: ...
    async def rates(self) -> RateBook: ...


class Caller(NamedTuple):
    """Who seems to call; None where nothing was found."""

    client: ClientFacts | None
    device: DeviceFacts | None


NOBODY = Caller(None, None)


class GatherFacts:
    """All facts of one request. With a warm cache nothing is awaited for real."""

    def __init__(
        self, source: FactsSource, arrivals: GatherArrival, country_of: CountryOf, lease_s: int
    ) -> None:
        self._source = source
        self._arrivals = arrivals
        self._country_of = country_of
        self._lease_s = lease_s

    def known(self, request: CallRequest) -> Facts | None:
        """The facts of an ordinary call, if all are in memory; None: ask in earnest.

        A chain of awaits that never wait costs as much as half the decision.
        """
        user, domain = request.auth_user, domain_of(request)
        if (
            not user
            or domain is None
            or request.direction == "inbound"
            or (request.from_user != user and not anonymous_from(request))
        ):
            return None
        found = self._source.known_caller(domain, user)
        if found is None:
            return None
        brand, client, rates = found
        device = client.devices.get(user)
        if device is None:
            return None
        return Facts(
            domain,
            brand,
            client,
            device,
            False,
            rates,
            self._country_of,
            self._lease_s,
            perhaps_ours=self._source.perhaps_ours,
        )

    async def __call__(self, request: CallRequest) -> Facts:
        """Raises redis errors when something must be read and can't be."""
        if await self._from_outside(request):
            found = await self._arrivals(request)
            if not await self._is_anothers_home(request, found):
                return await self._inbound(found)
        domain = domain_of(request)
        brand = await self._source.brand_of_domain(domain) if domain else None
        caller = NOBODY if brand is None else await self._caller(request, brand)
        return Facts(
            domain=domain,
            brand=brand,
            client=caller.client,
            device=caller.device,
            from_names_other=await self._from_names_other(request, brand, caller),
            rates=await self._source.rates(),
            country_of=self._country_of,
            lease_s=self._lease_s,
            perhaps_ours=self._source.perhaps_ours,
        )

    async def device(self, domain: str, name: str) -> tuple[BrandFacts | None, Caller]:
        """The brand of a SIP domain (lower case) and its device of that name. Raises redis errors."""
        brand = await self._source.brand_of_domain(domain)
        return brand, NOBODY if brand is None else await self._named(brand, name)

    async def _from_outside(self, request: CallRequest) -> bool:
        """As the edge says; else a call without digest from a provider's address comes in."""
        if request.direction is not None:
            return request.direction == "inbound"
        return not request.auth_user and bool(await self._arrivals.brands_at(request.source_ip))

    async def _is_anothers_home(self, request: CallRequest, found: Arrived) -> bool:
        """From names a brand without a provider at this address; the number is none of those who have one.

        Any brand says by itself where its providers stand. A careless or hostile network must not turn the
        calls of another's homes, emergency calls above all, into calls from outside to a number of nobody.
        """
        if found.arrival is not None and found.arrival.owner is not None:
            return False
        there = await self._arrivals.brands_at(request.source_ip)
        domain = (request.from_domain or "").lower()
        brand = await self._source.brand_of_domain(domain) if there and domain else None
        return brand is not None and brand.id not in there

    async def _inbound(self, found: Arrived) -> Facts:
        return Facts(
            domain=None,
            brand=found.brand,
            client=found.client,
            device=found.device,
            from_names_other=False,
            rates=await self._source.rates(),
            country_of=self._country_of,
            lease_s=self._lease_s,
            inbound=True,
            arrival=found.arrival,
            perhaps_ours=self._source.perhaps_ours,
        )

    async def _caller(self, request: CallRequest, brand: BrandFacts) -> Caller:
        """By the digest's user; else a direct device by its address; else whom From names, unproven."""
        if request.auth_user:
            return await self._named(brand, request.auth_user)
        found = await self._at_address(request, brand)
        if found is NOBODY and request.from_user and not anonymous_from(request):
            return await self._named(brand, request.from_user)
        return found

    async def _named(self, brand: BrandFacts, name: str) -> Caller:
        for _ in range(2):
            client_id = await self._source.client_of_device(brand.id, name)
            client = await self._source.client(brand.id, client_id) if client_id else None
            if client is None:
                return NOBODY
            device = client.devices.get(name)
            if device is not None:
                return Caller(client, device)
            self._source.forget_name(brand.id, name)  # it has moved, or is gone: look once more
        return NOBODY

    async def _at_address(self, request: CallRequest, brand: BrandFacts) -> Caller:
        """The direct device of that address; of several, the one From names, then the one of the port."""
        there = brand.direct_devices.get(request.source_ip, ())
        best = NOBODY
        for client_id, name in there:
            client = await self._source.client(brand.id, client_id)
            device = client.devices.get(name) if client is not None else None
            if device is not None and device.direct:
                if name == request.from_user:
                    return Caller(client, device)
                if best is NOBODY or device.port == request.source_port:
                    best = Caller(client, device)
        return best

    async def _from_names_other(self, request: CallRequest, brand: BrandFacts | None, caller: Caller) -> bool:
        user, device = request.from_user, caller.device
        if device is None or brand is None or user == device.name or anonymous_from(request) or not user:
            return False
        return (await self._named(brand, user)).device is not None
