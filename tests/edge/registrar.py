"""A DDI provider that wants a registration, asks for a digest, and calls the Contact that it was given."""

from __future__ import annotations

import queue

from tests.edge.phone import Phone, Placed
from tests.edge.sip_message import Address, Message, address, credentials, parameter, token


class Registrar(Phone):
    """Keeps the contacts of one account. `refuse`: answer every REGISTER so instead."""

    def __init__(self, ip: str, edge: Address, account: str, domain: str, password: str) -> None:
        super().__init__(ip, edge, "34600123123", domain, None, port=5060)
        self.account, self.account_password = account, password
        self.refuse: tuple[int, str] | None = None
        self.granted_s = 300
        self.contacts: dict[str, int] = {}
        self.registered: queue.Queue[Message] = queue.Queue()
        """REGISTERs that were believed."""
        self._nonces: set[str] = set()

    def took_other(self, request: Message) -> None:
        """REGISTER: refused, challenged, or believed."""
        if request.method != "REGISTER":
            super().took_other(request)
        elif self.refuse is not None:
            self.reply(request, *self.refuse)
        elif not self._proved(request):
            nonce = token()
            self._nonces.add(nonce)
            asked = f'Digest realm="{self.domain}", nonce="{nonce}", qop="auth", algorithm=MD5'
            self.reply(request, 401, "Unauthorized", ("WWW-Authenticate", asked))
        else:
            self._keep(request)

    def _keep(self, request: Message) -> None:
        contact = address(request.header("Contact"))
        asked_s = int(request.header("Expires"))
        lasts_s = min(asked_s, self.granted_s)
        self.contacts.pop(contact, None)
        if lasts_s:
            self.contacts[contact] = lasts_s
        listed = [("Contact", f"<{uri}>;expires={expires}") for uri, expires in self.contacts.items()]
        self.reply(request, 200, "OK", *listed)
        self.registered.put(request)

    def _proved(self, request: Message) -> bool:
        given = request.header("Authorization")
        said = {
            name: parameter(given.replace(",", ";"), name).strip('"') for name in ("nonce", "cnonce", "nc")
        }
        if said["nonce"] not in self._nonces:
            return False
        asked = f'Digest realm="{self.domain}", nonce="{said["nonce"]}", qop="auth", algorithm=MD5'
        own = credentials(
            asked,
            "REGISTER",
            request.uri,
            self.account,
            self.account_password,
            int(said["nc"], 16),
            said["cnonce"],
        )
        return parameter(own.replace(",", ";"), "response") == parameter(given.replace(",", ";"), "response")

    def calls_in(self, contact: str, number: str) -> tuple[Placed, Message]:
        """A call to the Contact, with the number in To."""
        placed = Placed(self, number, (), None, target=contact)
        return placed, placed.dial()
