"""A town on loopback addresses: a running platform, a real edge, two carriers, homes with phones.

town.home(...)            a client whose carriers are `town.first` and `town.second`
town.phone(home)          its device, with the right password
"""

from __future__ import annotations

import hashlib
import itertools
import ssl
from dataclasses import dataclass, field
from typing import Any

from tests.edge.phone import Phone
from tests.edge.processes import Edge
from tests.edge.sip_peer import SipPeer
from tests.edge.stream_phone import StreamPhone
from tests.support.books import assert_books_hold
from tests.support.world import CALL_CONTROL, PROVISIONING, Brand, Home, Platform, until

Row = dict[str, Any]


@dataclass
class Town:
    """See the module. `net`: the first two numbers of its addresses, as `127.66.7`."""

    platform: Platform
    edge: Edge
    brand: Brand
    net: str
    first: SipPeer
    second: SipPeer
    provider: Phone
    media: SipPeer
    _hosts: itertools.count[int] = field(default_factory=lambda: itertools.count(100))
    _phones: list[SipPeer] = field(default_factory=list)

    def home(self, **fields: Any) -> Home:
        """A client with one device and one number, callable at once."""
        return self.brand.home(**fields)

    def phone(self, home: Home, *, password: str | None = None, user: str | None = None) -> Phone:
        """The home's device at an address of its own."""
        known = password or self.password(home)
        ip = f"{self.net}.{next(self._hosts)}"
        phone = Phone(ip, self.edge.address, user or home.device, home.brand.domain, known)
        self._phones.append(phone)
        return phone

    def connected(self, home: Home, tls: ssl.SSLContext | None = None) -> StreamPhone:
        """The home's device over one TCP connection, or TLS by that context."""
        ip, proxy = f"{self.net}.{next(self._hosts)}", self.edge.tls_address if tls else self.edge.address
        phone = StreamPhone(ip, proxy, home.device, home.brand.domain, self.password(home), tls)
        self._phones.append(phone)
        return phone

    def password(self, home: Home) -> str:
        """A new one, once call-control knows it; the edge forgets the old one at once."""
        path = f"{PROVISIONING}/devices/{home.device_id}"
        password = str(self.platform.api.patch(path, {"reset_credentials": True})["password"])
        ha1 = hashlib.md5(f"{home.device}:{home.brand.domain}:{password}".encode()).hexdigest()
        asked = {"user": home.device, "domain": home.brand.domain}

        def known() -> bool:
            answer = self.platform.edge().http.get(f"{CALL_CONTROL}/credentials", params=asked)
            return answer.status_code == 200 and answer.json()["ha1"] == ha1

        until(known, "call-control knows the password")
        return password

    def answering(self, home: Home, **ddi: Any) -> Phone:
        """The home's device, registered, with the home's number leading to it."""
        body = {"target": "device", "device_id": home.device_id, **ddi}
        self.platform.api.patch(f"{PROVISIONING}/ddis/{home.ddi_id}", body)
        phone = self.phone(home)
        assert phone.register().status == 200
        return phone

    def forward(self, home: Home, kind: str, number: str | None = None, **more: Any) -> None:
        """A forward of the home's device: to a number, else to its voicemail."""
        target = "number" if number else "voicemail"
        body = {"client_id": home.id, "device_id": home.device_id, "kind": kind, "target": target}
        self.platform.api.post(f"{PROVISIONING}/call-forwards", {**body, "number": number, **more})
        # Changes come in their order: who knows the new password knows the forward.
        known = self.password(home)
        for phone in self._phones:
            if isinstance(phone, Phone) and phone.user == home.device:
                phone.password = known

    def simulated(self, home: Home, **asked: Any) -> Row:
        """What would become of a call to the home from the provider; nothing changes."""
        body = {"direction": "inbound", "source_ip": self.provider.ip, "request_user": home.number, **asked}
        return dict(self.platform.api.post(f"{CALL_CONTROL}/simulate", body))

    def settled(self, home: Home) -> Row:
        """The home's usage when nothing of it lives any more and everything is posted."""
        until(lambda: not home.live_calls(), "the calls are over")
        return home.settled()

    def only_record(self, home: Home) -> Row:
        """The one record that the home has."""
        until(home.records, "a record")
        self.settled(home)
        [record] = home.records()
        return record

    def assert_nothing_left(self) -> None:
        """No dialog at the edge, no live call, and the books hold: what every story ends with."""
        until(lambda: self.edge.dialogs() == 0, "Kamailio has no dialog")
        until(lambda: not list(self.platform.api.items(f"{CALL_CONTROL}/calls")), "no live calls")
        assert_books_hold(self.platform.stack)

    def forget_phones(self) -> None:
        """Phones of a story that is over."""
        while self._phones:
            self._phones.pop().close()
