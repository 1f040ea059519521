"""`POST /registrations`: may this device register from there, and where it is reached from now on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from call_control.app.gather_facts import Caller
from call_control.domain.admission.source_filter import allowed
from call_control.domain.denials import Denial, deny
from call_control.domain.facts import BrandFacts, CountryOf, KeptContact

MIN_EXPIRES_S: Final = 60
MAX_EXPIRES_S: Final = 3_600
MAX_CONTACTS: Final = 10


class FindsDevice(Protocol):
    """`app.gather_facts.GatherFacts`, as far as needed here."""

    async def device(self, domain: str, name: str) -> tuple[BrandFacts | None, Caller]: ...


class KeepsContacts(Protocol):
    """`adapters.registrations.Registrations`."""

    async def put(
        self, partition: int, device_id: str, contact: KeptContact, now_ms: int, *, most: int | None
    ) -> bool: ...
    async def remove(self, partition: int, device_id: str, uri: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Registration:
    """What a device asked for, its digest verified by the edge."""

    user: str
    realm: str
    contact: KeptContact
    expires_s: int


@dataclass(frozen=True, slots=True)
class Registered:
    """The answer: `denial` None: it may."""

    denial: Denial | None
    max_contacts: int = MAX_CONTACTS


async def register(
    finds: FindsDevice, kept: KeepsContacts, country_of: CountryOf, asked: Registration, now_ms: int
) -> Registered:
    """Judge, then keep the contact, or forget it when it expires at once. Raises redis errors."""
    brand, caller = await finds.device(asked.realm.lower(), asked.user)
    if brand is None:
        return Registered(deny("unknown_domain", f"domain {asked.realm}"))
    client, device = caller
    if client is None or device is None:
        return Registered(deny("unknown_device", f"device {asked.user} in {asked.realm}"))
    if asked.expires_s == 0:
        await kept.remove(brand.partition, device.id, asked.contact.uri)
        return Registered(None)
    for what, enabled in (("brand", brand.enabled), ("client", client.enabled), ("device", device.enabled)):
        if not enabled:
            return Registered(deny("disabled", f"{what} is disabled"))
    source_ip = asked.contact.source_ip or ""
    by = allowed(client, source_ip, country_of)
    if by is None:
        return Registered(deny("source_not_allowed", f"{source_ip} is not where client {client.name} may be"))
    most = MAX_CONTACTS if device.multi_contact else None
    if not await kept.put(brand.partition, device.id, asked.contact, now_ms, most=most):
        told = f"device {device.name} has {MAX_CONTACTS} contacts"
        return Registered(deny("too_many_contacts", told))
    return Registered(None, most or 1)
