"""`GET /credentials`, `POST /registrations`, `POST /auth-failures`: what an edge needs to let devices in."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import parse_qsl

import msgspec
from landline.chassis.problems import FieldError, InvalidInput, NotFound
from landline.kernel.clock import Clock, iso
from msgspec import Meta
from starlette.types import Receive, Scope, Send

from call_control.adapters.auth_failures import AuthFailures
from call_control.adapters.device_secrets import DeviceSecrets
from call_control.adapters.registrations import Registrations
from call_control.app.gather_facts import GatherFacts
from call_control.app.register import MAX_EXPIRES_S, MIN_EXPIRES_S, Registration, register
from call_control.domain.admission.request import Host, Text128, Text512
from call_control.domain.admission.source_filter import address
from call_control.domain.facts import CountryOf, KeptContact
from call_control.edge.auth import EdgeAuth
from call_control.edge.endpoint import Endpoint, json_answer
from call_control.edge.reading import BodyReader, read_body, refuse_control

_SIP_URI = re.compile(r"(?i)sips?:[^\x00-\x20\x7f-\x9f\u2028\u2029<>]+(?![\s\S])")
Ip = Annotated[str, Meta(min_length=2, max_length=45)]


class CredentialsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """HA1 of a device by algorithm (RFC 7616, RFC 8760). `source_ip_required`: a direct device's address."""

    ha1: Annotated[str, Meta(description="MD5 HA1 (RFC 7616), hexadecimal: a secret.")]
    ha1_sha256: Annotated[str, Meta(description="SHA-256 HA1 (RFC 8760), hexadecimal: a secret.")]
    realm: Annotated[str, Meta(description="Realm to challenge with: the brand's SIP domain.")]
    source_ip_required: Annotated[
        str | None, Meta(description="The only address that the device may call from; null: any.")
    ] = None


class Registering(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `/registrations`, sent before the edge saves. `contact` is the URI, `*` for all of them."""

    auth_user: Annotated[Text128, Meta(description="User name of the verified digest.")]
    auth_realm: Annotated[Host, Meta(description="Realm of the verified digest.")]
    contact: Annotated[
        Text512,
        Meta(description="URI of one Contact, without <>; `*` for all of them, with `expires_s` 0 only."),
    ]
    source_ip: Annotated[Ip, Meta(description="Address that the REGISTER came from.")]
    received: Annotated[
        Text512 | None,
        Meta(
            description="SIP URI of that address, where it differs from the contact (NAT); null: it does not."
        ),
    ] = None
    path: Annotated[Text512 | None, Meta(description="Path header (RFC 3327); null: none.")] = None
    expires_s: Annotated[
        int,
        Meta(
            ge=0, le=2**31, description="Seconds asked for; 0: the contact is gone (unregistered or expired)."
        ),
    ] = MAX_EXPIRES_S
    user_agent: Annotated[Text512 | None, Meta(description="User-Agent of the device, for people.")] = None


class RegistrationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it may register; if not, why, and what to answer the device."""

    allow: Annotated[bool, Meta(description="Whether to save the contact.")]
    max_contacts: Annotated[
        int, Meta(description="How many the device may have; at 1 the newest replaces the other.")
    ]
    min_expires_s: Annotated[int, Meta(description="Seconds: shorter is raised to this.")] = MIN_EXPIRES_S
    max_expires_s: Annotated[int, Meta(description="Seconds: longer is lowered to this.")] = MAX_EXPIRES_S
    reason: Annotated[
        str | None,
        Meta(description="Machine code of a refusal, such as `source_not_allowed`; null when allowed."),
    ] = None
    sip_code: Annotated[
        int | None, Meta(description="Status to refuse the REGISTER with; null when allowed.")
    ] = None
    sip_reason: Annotated[
        str | None, Meta(description="Reason phrase to refuse it with; null when allowed.")
    ] = None
    detail: Annotated[
        str | None, Meta(description="The refusal's particulars, for people; null when allowed.")
    ] = None


class AuthFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `/auth-failures`: a wrong password, or a name that does not exist."""

    user: Annotated[Text128, Meta(description="User name that was tried, existing or not.")]
    domain: Annotated[Host, Meta(description="Realm that it was tried in.")]
    source_ip: Annotated[Ip, Meta(description="Address that it came from.")]


class AuthFailureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Until when the edge should ignore that address; null: not at all."""

    banned_until: Annotated[
        str | None,
        Meta(description="ISO UTC: drop whatever comes from the address until then; null: it is not banned."),
    ]


_encode = msgspec.json.Encoder().encode


class Devices:
    """What the three endpoints share."""

    def __init__(
        self,
        auth: EdgeAuth,
        gather: GatherFacts,
        secrets: DeviceSecrets,
        registrations: Registrations,
        failures: AuthFailures,
        country_of: CountryOf,
        clock: Clock,
    ) -> None:
        self.auth = auth
        self.gather = gather
        self.secrets = secrets
        self.registrations = registrations
        self.failures = failures
        self.country_of = country_of
        self.clock = clock


class CredentialsEndpoint(Endpoint):
    """`GET /credentials?user=&domain=`."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200, or 404 for a device that does not exist or has no password."""
        devices = self._devices
        await devices.auth(scope)
        await read_body(receive)
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        missing = [name for name in ("user", "domain") if not asked.get(name)]
        if missing:
            raise InvalidInput([FieldError(name, "required", "is missing") for name in missing])
        domain = asked["domain"].lower()
        brand, (client, device) = await devices.gather.device(domain, asked["user"])
        if brand is None or client is None or device is None:
            raise NotFound("no such device")
        found = await devices.secrets.credentials(brand.partition, client.id, device.id)
        if found is None:
            raise NotFound("the device has no password")
        said = CredentialsAnswer(
            ha1=found.ha1,
            ha1_sha256=found.ha1_sha256,
            realm=brand.sip_domain,
            source_ip_required=device.ip if device.direct else None,
        )
        await json_answer(send, _encode(said))


class RegistrationEndpoint(Endpoint):
    """`POST /registrations`."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._reader = BodyReader(Registering)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with the decision; a refusal is a successful answer."""
        devices = self._devices
        edge = await devices.auth(scope)
        body: Registering = self._reader.read(await read_body(receive))
        _check(body)
        now_ms = devices.clock.now_ms()
        lasts_s = min(max(body.expires_s, MIN_EXPIRES_S), MAX_EXPIRES_S)
        contact = KeptContact(
            uri=body.contact,
            received=body.received,
            path=body.path,
            edge=edge.name,
            expires_at_ms=now_ms + lasts_s * 1000,
            registered_at_ms=now_ms,
            source_ip=body.source_ip,
            user_agent=body.user_agent,
        )
        asked = Registration(body.auth_user, body.auth_realm, contact, body.expires_s)
        done = await register(devices.gather, devices.registrations, devices.country_of, asked, now_ms)
        denial = done.denial
        said = RegistrationAnswer(
            allow=denial is None,
            max_contacts=done.max_contacts,
            reason=denial.code if denial else None,
            sip_code=denial.reason.sip_code if denial else None,
            sip_reason=denial.reason.sip_reason if denial else None,
            detail=denial.detail if denial else None,
        )
        await json_answer(send, _encode(said))


class AuthFailureEndpoint(Endpoint):
    """`POST /auth-failures`."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._reader = BodyReader(AuthFailure)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200; counted, and perhaps the address is banned by it."""
        devices = self._devices
        await devices.auth(scope)
        body: AuthFailure = self._reader.read(await read_body(receive))
        _must_be_address(body.source_ip)
        now_ms = devices.clock.now_ms()
        until = await devices.failures.failed(body.source_ip, body.user, body.domain, now_ms)
        said = AuthFailureAnswer(banned_until=None if until is None else iso(until))
        await json_answer(send, _encode(said))


def _check(body: Registering) -> None:
    """Raises InvalidInput. What is kept here becomes the Request-URI of a call: nothing else may fit in."""
    _must_be_address(body.source_ip)
    errors = [
        FieldError(name, "not_a_sip_uri", "must be a sip: or sips: URI, without <> and spaces")
        for name, uri in (("contact", body.contact), ("received", body.received))
        if uri is not None and uri != "*" and _SIP_URI.match(uri) is None
    ]
    if body.contact == "*" and body.expires_s:
        errors.append(FieldError("contact", "only_to_leave", "* goes with expires_s 0 (RFC 3261 10.2.2)"))
    if errors:
        raise InvalidInput(errors)
    refuse_control("path", body.path or "")


def _must_be_address(text: str) -> None:
    try:
        address(text)
    except ValueError:
        fault = FieldError("source_ip", "not_an_address", "must be an IPv4 or IPv6 address")
        raise InvalidInput([fault]) from None
