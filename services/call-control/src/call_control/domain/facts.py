"""The facts of a decision: what is configured, as frozen values (domain.md section 2).

Built once from the published JSON (`adapters/fact_parsing.py`), then shared by all calls of a worker, so a
decision only looks things up. Money in micros (int), moments in Unix ms, numbers in E.164 with a plus.
Nothing here does I/O; what changes with the moment (balance, live calls) is not a fact but the script's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any

import msgspec
from landline.kernel.numbers import E164
from landline.numbering.transformations import TransformationSet
from landline.rating.lookup import Profile
from msgspec import Meta

from call_control.domain.forwarding import CallFilter, CallForward, Forwarded
from call_control.domain.live_call import Terms
from call_control.domain.match_list import MatchList
from call_control.domain.rates import RateBook
from call_control.domain.risk import NOTHING_SAID, SAFE, Barring, RiskLimits, RiskMap

Network = IPv4Network | IPv6Network
CountryOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class EdgeFacts:
    """A SIP edge of ours and the hash of its key."""

    id: str
    name: str
    key_prefix: str
    key_sha256: str
    enabled: bool = True
    control_url: str | None = None
    networks: tuple[Network, ...] = ()
    """From where its key may be used; none: from anywhere."""


@dataclass(frozen=True, slots=True)
class Ddi:
    """A number of the client. Only `active` ones are shown, matched inbound or reached on-net."""

    id: str
    number: E164
    kind: str = "inout"
    state: str = "active"
    record: str = "none"
    language: str | None = None
    target: str = "none"
    device_id: str | None = None
    display_name: str | None = None
    provider_id: str | None = None
    fax_id: str | None = None
    call_filter_id: str | None = None

    @property
    def active(self) -> bool:
        return self.state == "active"


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """A SIP account. `direct`: known by its address (`ip`, `port`), else it registers with a password."""

    id: str
    name: str
    enabled: bool = True
    direct: bool = False
    ip: str | None = None
    port: int | None = None
    outgoing_ddi_id: str | None = None
    language: str | None = None
    transformation_set_id: str | None = None
    max_calls: int = 1
    max_calls_per_minute: int | None = None
    transport: str = "udp"
    codecs: tuple[str, ...] = ("alaw",)
    ddi_in: bool = False
    multi_contact: bool = True
    t38: bool = False
    srtp: bool = False
    from_domain: str | None = None
    forwards: Mapping[str, CallForward] = field(default_factory=dict)
    """Those that are switched on, by kind."""


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """A residential client with all that is its own: devices by name, DDIs by number, sources, profiles."""

    id: str
    brand_id: str
    name: str
    enabled: bool = True
    billing_method: str = "postpaid"
    country: str = ""
    language: str = "en"
    timezone: str = "UTC"
    currency: str = "EUR"
    transformation_set_id: str | None = None
    features: frozenset[str] = frozenset()
    max_calls: int = 0
    ip_filter: bool = False
    geoip_countries: frozenset[str] = frozenset()
    sources: tuple[Network, ...] = ()
    outgoing_ddi_id: str | None = None
    withhold_number: bool = False
    show_billing_details: bool = False
    """Whether its own people see prices."""
    max_call_s: int | None = None
    media_relay_set_id: str | None = None
    application_server_set_id: str | None = None
    distribution: str = "hash"
    outage_policy: str = "deny"
    devices: Mapping[str, DeviceFacts] = field(default_factory=dict)
    ddis: Mapping[str, Ddi] = field(default_factory=dict)
    ddis_by_id: Mapping[str, Ddi] = field(default_factory=dict)
    devices_by_id: Mapping[str, DeviceFacts] = field(default_factory=dict)
    filters: Mapping[str, CallFilter] = field(default_factory=dict)
    match_lists: Mapping[str, MatchList] = field(default_factory=dict)
    profiles: tuple[Profile, ...] = ()
    terms: Terms = field(default_factory=Terms)
    """The money terms its calls are admitted on; `admission.money.terms_of` makes them."""
    barrings: tuple[Barring, ...] = ()
    operator_limits: RiskLimits = NOTHING_SAID
    limits: RiskLimits = NOTHING_SAID
    """As the client's own people have them: never looser than the operator's, else the brand's."""
    calling_code: str = ""
    created_at_ms: int | None = None
    limits_memo: list[Any] = field(default_factory=list, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DdiProvider:
    """Brings calls in."""

    id: str
    name: str
    enabled: bool = True
    transformation_set_id: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderAddress:
    """Where a DDI provider's calls come from. `trusted`: its asserted identities are believed."""

    brand_id: str
    provider_id: str
    network: Network
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class ProviderRegistration:
    """An account at a DDI provider that an edge registers. `sealed_ha1`: opened only for the edge that
    holds it. `contact_user` None: a random one."""

    id: str
    brand_id: str
    provider_id: str
    username: str
    domain: str
    realm: str
    auth_username: str
    sealed_ha1: str
    enabled: bool = True
    auth_proxy: str | None = None
    expires_s: int = 3600
    contact_user: str | None = None


@dataclass(frozen=True, slots=True)
class CarrierServer:
    """Where calls leave: one SIP address of a carrier, with the headers it wants."""

    id: str
    host: str
    port: int | None = None
    scheme: str = "sip"
    transport: str = "udp"
    outbound_proxy: str | None = None
    send_pai: bool = True
    send_rpid: bool = False
    trusted: bool = False
    from_user: str | None = None
    from_domain: str | None = None
    auth_user: str | None = None
    auth_realm: str | None = None
    auth_ha1: str | None = None


@dataclass(frozen=True, slots=True)
class Carrier:
    """Takes calls out, by one or more servers."""

    id: str
    name: str
    enabled: bool = True
    transformation_set_id: str | None = None
    servers: tuple[CarrierServer, ...] = ()
    profiles: tuple[Profile, ...] = ()
    """What the carrier charges us; without one, lcr routes leave it out."""


@dataclass(frozen=True, slots=True)
class Route:
    """An outgoing routing rule. `kind`: call | fax | emergency; `prefixes`: those of its patterns."""

    id: str
    prefixes: tuple[str, ...]
    mode: str = "static"
    kind: str = "call"
    client_id: str | None = None
    carrier_ids: tuple[str, ...] = ()
    priority: int = 1
    weight: int = 1
    stopper: bool = False
    prefix: str = ""
    force_clid: str | None = None
    disable_diversion: bool = False
    version: int = 0


class NumberList:
    """Emergency or special numbers: as dialled (`112`) or in E.164, each of some countries or of all."""

    __slots__ = ("_countries",)

    def __init__(self, rows: Iterable[tuple[str, str | None]] = ()) -> None:
        countries: dict[str, set[str | None]] = {}
        for number, country in rows:
            countries.setdefault(number, set()).add(country)
        self._countries = countries

    def with_own(self, rows: Iterable[tuple[str, str | None]]) -> NumberList:
        """The platform's and a brand's together; itself, shared, for a brand without any."""
        own = list(rows)
        return NumberList([*self, *own]) if own else self

    def __iter__(self) -> Iterator[tuple[str, str | None]]:
        return ((number, country) for number, found in self._countries.items() for country in found)

    def has(self, number: str, country: str) -> bool:
        """Whether the number is listed for that country, or for all."""
        found = self._countries.get(number)
        return found is not None and (country in found or None in found)

    def of(self, country: str) -> list[str]:
        """The numbers that are listed for a country, sorted."""
        return sorted(number for number in self._countries if self.has(number, country))


@dataclass(frozen=True, slots=True)
class PlatformFacts:
    """What all brands share: parsed once for all of them."""

    sets: Mapping[str, TransformationSet] = field(default_factory=dict)
    emergency_numbers: NumberList = field(default_factory=NumberList)
    special_numbers: NumberList = field(default_factory=NumberList)
    risks: RiskMap = field(default_factory=RiskMap)
    media_relay_sets: Mapping[str, str] = field(default_factory=dict)
    application_servers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BrandFacts:
    """A brand and all the small things its calls need; kept whole by every worker."""

    id: str
    partition: int
    name: str
    sip_domain: str
    enabled: bool = True
    features: frozenset[str] = frozenset()
    max_calls: int = 0
    language: str = "en"
    timezone: str = "UTC"
    currency: str = "EUR"
    country: str = ""
    max_call_s: int | None = None
    emergency_caller: str | None = None
    reject_spoofed: bool = False
    match_lists: Mapping[str, MatchList] = field(default_factory=dict)
    providers: Mapping[str, DdiProvider] = field(default_factory=dict)
    carriers: Mapping[str, Carrier] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    sets: Mapping[str, TransformationSet] = field(default_factory=dict)
    emergency_numbers: NumberList = field(default_factory=NumberList)
    special_numbers: NumberList = field(default_factory=NumberList)
    risks: RiskMap = field(default_factory=RiskMap)
    limits: RiskLimits = SAFE
    service_codes: Mapping[str, str] = field(default_factory=dict)
    """Code as dialled (`*80`) -> service."""
    direct_devices: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Source address -> (client id, device name) of the devices with direct connectivity."""
    media_relay_sets: Mapping[str, str] = field(default_factory=dict)
    """The name by which edges know a set, by id."""
    application_servers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The servers of a set, by its id."""
    patterns: frozenset[str] = frozenset()
    """All prefixes that some route matches; `pattern_lengths`: how long they are, longest first."""
    pattern_lengths: tuple[int, ...] = ()
    clients_with_routes: frozenset[str] = frozenset()
    route_memo: dict[tuple[bool, str, str, str], tuple[tuple[Route, ...], ...]] = field(
        default_factory=dict, compare=False, repr=False
    )
    number_memo: dict[tuple[int, str, str], str] = field(default_factory=dict, compare=False, repr=False)
    """Both filled by the rules, and both die with these facts, so a change can never leave them stale."""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Where a registered device is reached (RFC 3261 section 10, RFC 3327): `received` is the address its
    REGISTER came from, `edge` the edge that holds the flow."""

    uri: Annotated[str, Meta(description="Contact of the device: the Request-URI.")]
    received: Annotated[
        str | None,
        Meta(
            description="SIP URI that its REGISTER came from, where it differs (NAT): send there. Null: "
            "to `uri`."
        ),
    ] = None
    path: Annotated[
        str | None, Meta(description="Path header to send it through (RFC 3327); null: none.")
    ] = None
    edge: Annotated[
        str | None,
        Meta(description="Name of the edge that holds the flow; null for a device with a fixed address."),
    ] = None
    expires_at_ms: Annotated[
        int, Meta(description="When the registration ends, Unix milliseconds; 0: never (fixed address).")
    ] = 0


class KeptContact(Contact, frozen=True, kw_only=True):
    """A contact, and what is only shown to people."""

    registered_at_ms: int = 0
    source_ip: str | None = None
    user_agent: str | None = None


class Arrival(msgspec.Struct, frozen=True):
    """A call from outside, as far as it could be recognised: by its source address, then by its number."""

    provider: DdiProvider
    trusted: bool
    number: str
    owner: str | None
    """The client that has the number, `pool`, or None: the brand does not have it."""
    ddi: Ddi | None
    contacts: tuple[Contact, ...] = ()
    on_net: bool = False
    """It comes from a number of this platform: `provider` is no real one."""
    shows_ours: bool = False
    """The caller shows an active number of this platform."""


def nobody(_number: str) -> bool:
    """No number is ours."""
    return False


class Facts(msgspec.Struct, frozen=True):
    """All that one decision may look at. Whatever was not found is None: identity says what that means."""

    domain: str | None
    """The SIP domain the request was judged by, lower case."""
    brand: BrandFacts | None
    client: ClientFacts | None
    device: DeviceFacts | None
    from_names_other: bool
    """From names a device of ours other than the one that authenticated."""
    rates: RateBook
    country_of: CountryOf
    lease_s: int = 60
    inbound: bool = False
    arrival: Arrival | None = None
    """Of an inbound call; None when its source address is no provider's."""
    forwarded: Forwarded | None = None
    """Of a leg that a called number of the client sends on: an outbound call that no device of it dialled."""
    perhaps_ours: Callable[[str], bool] = nobody
    """Whether a number may be an active one of this platform; False is certain."""
