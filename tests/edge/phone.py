"""A SIP phone: registers, calls, and, being a `SipPeer`, is called."""

from __future__ import annotations

from tests.edge.dialog import Dialog
from tests.edge.sip_message import Address, Message, address, credentials, media_address, token
from tests.edge.sip_peer import SipPeer, Transaction


class Placed(Dialog):
    """A call of ours. `invite` is the transaction that counts: the last one, with credentials."""

    def __init__(
        self,
        phone: Phone,
        number: str,
        headers: tuple[tuple[str, str], ...],
        shown: str | None,
        target: str | None = None,
    ) -> None:
        super().__init__(phone, f"{token()}@{phone.ip}")
        self.phone = phone
        self.target = f"sip:{number}@{phone.domain}"
        self.local = f"{shown or f'<sip:{phone.user}@{phone.domain}>'};tag={token()}"
        self.remote = f"<{self.target}>"
        self.target = target or self.target
        self.headers = headers
        self.invite = self._invite()
        self._ack: Message | None = None
        phone.keep(self)

    def _invite(self, *more: tuple[str, str]) -> Transaction:
        headers = (("Contact", self.phone.contact), *self.headers, *more)
        request = self._built("INVITE", self.cseq, *headers, body=self.sdp())
        if self.phone.beside_sdp:
            parts = [f"Content-Type: application/sdp\r\n\r\n{request.body}", self.phone.beside_sdp]
            request.body = "".join(f"--part\r\n{part}\r\n" for part in parts) + "--part--\r\n"
            request.headers[-1] = ("Content-Type", "multipart/mixed;boundary=part")
        return self.peer.ask(request, self.phone.proxy)

    def dial(self, within_s: float = 20.0) -> Message:
        """Answer challenges, then the final reply. A nonce that is stale is answered once more."""
        reply = self.authenticate(within_s)
        while reply.status < 200:
            reply = self.invite.final(within_s)
        if reply.status in (401, 407) and is_stale(reply):
            self.invite = self._answered(reply)
            reply = self.invite.final(within_s)
        return reply

    def authenticate(self, within_s: float = 20.0) -> Message:
        """Answer the first challenge, if there is one; the first reply that is more than 100 otherwise."""
        reply = self.invite.wait(lambda each: each.status > 100, within_s)
        if reply.status in (401, 407) and self.phone.password is not None:
            self.invite = self._answered(reply)
            reply = self.invite.wait(lambda each: True, within_s)
        return reply

    def _answered(self, challenged: Message) -> Transaction:
        name = "Proxy-Authorization" if challenged.status == 407 else "Authorization"
        self.cseq += 1
        return self._invite((name, self.phone.answer(challenged, "INVITE", self.target)))

    def confirm(self, reply: Message) -> None:
        """ACK of a 2xx, again for each repetition (RFC 3261 13.2.2.4)."""
        if self._ack is None or ";tag=" not in self.remote:
            self.remote = reply.header("To")
            self.target = address(reply.header("Contact"))
            self.route = list(reversed(reply.all("Record-Route")))
            self.audio.remote = media_address(reply.body)
            cseq = int(reply.header("CSeq").split()[0])
            self._ack = self._built("ACK", cseq)
        self.peer.send(self._ack, self._next_hop())

    def cancel(self) -> Message:
        """Give up while it rings (RFC 3261 section 9); the reply to the CANCEL."""
        invite = self.invite.request
        kept = [(k, v) for k, v in invite.headers if k in ("Via", "From", "To", "Call-ID", "Max-Forwards")]
        cseq = invite.header("CSeq").split()[0]
        request = Message(f"CANCEL {invite.uri} SIP/2.0", [*kept, ("CSeq", f"{cseq} CANCEL")])
        return self.peer.ask(request, self.phone.proxy).final()


def is_stale(reply: Message) -> bool:
    """The password was not judged: only the nonce is too old, or used up (RFC 7616 3.3)."""
    return "stale=true" in (reply.header("Proxy-Authenticate") + reply.header("WWW-Authenticate"))


class Phone(SipPeer):
    """A SIP account of a device. `auth_user` differs from `user` only in stories about identity."""

    def __init__(
        self, ip: str, proxy: Address, user: str, domain: str, password: str | None, port: int = 0
    ) -> None:
        super().__init__(ip, port)
        self.proxy, self.user, self.domain, self.password = proxy, user, domain, password
        self.auth_user = user
        self.beside_sdp = ""  # another part of the body of an INVITE, with its headers
        self._call_id, self._cseq = f"{token()}@{ip}", 0

    @property
    def contact(self) -> str:
        """Where the phone itself can be reached."""
        return f"<sip:{self.user}@{self.ip}:{self.port}>"

    def register(self, expires: int = 300, *more: tuple[str, str]) -> Message:
        """The last reply: challenged, then answered; once more when the nonce was stale."""
        reply = self.send_register(expires, *more)
        for again in (False, True):
            if reply.status == 401 and self.password is not None and (not again or is_stale(reply)):
                credentials = ("Authorization", self.answer(reply, "REGISTER", f"sip:{self.domain}"))
                reply = self.send_register(expires, credentials, *more)
        return reply

    def answer(self, challenged: Message, method: str, uri: str, count: int = 1) -> str:
        """Credentials for a challenge; `count` counts the uses of its nonce."""
        assert self.password is not None
        challenge = challenged.header("Proxy-Authenticate") or challenged.header("WWW-Authenticate")
        return credentials(challenge, method, uri, self.auth_user, self.password, count)

    def _send_register(self, expires: int, *more: tuple[str, str]) -> Transaction:
        self._cseq += 1
        me = f"<sip:{self.user}@{self.domain}>"
        headers = [("Via", self.via()), ("Max-Forwards", "70"), ("From", f"{me};tag={token()}"), ("To", me)]
        headers += [("Call-ID", self._call_id), ("CSeq", f"{self._cseq} REGISTER")]
        headers += [("Contact", self.contact), ("Expires", str(expires)), *more]
        return self.ask(Message(f"REGISTER sip:{self.domain} SIP/2.0", headers), self.proxy)

    def send_register(self, expires: int, *more: tuple[str, str]) -> Message:
        """One REGISTER as it is; its final reply."""
        return self._send_register(expires, *more).final()

    def call(self, number: str, *headers: tuple[str, str], shown: str | None = None) -> Placed:
        """INVITE without credentials; `dial` it to answer the challenge. `shown`: another From."""
        return Placed(self, number, headers, shown)

    def dial(
        self, number: str, *headers: tuple[str, str], shown: str | None = None
    ) -> tuple[Placed, Message]:
        """The call and the final reply to it."""
        placed = self.call(number, *headers, shown=shown)
        return placed, placed.dial()
