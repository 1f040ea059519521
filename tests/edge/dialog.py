"""The two ends of a call: `Leg` was called, `Placed` (phone.py) calls. Both can hang up."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tests.edge.rtp import Audio
from tests.edge.sip_message import Address, Message, address, host, media_address, sdp, token

if TYPE_CHECKING:
    from tests.edge.sip_peer import SipPeer, Transaction

REPEAT_200_S = 0.5


class Dialog:
    """What both ends share (RFC 3261 section 12)."""

    def __init__(self, peer: SipPeer, call_id: str) -> None:
        self.peer, self.call_id = peer, call_id
        self.local = self.remote = self.target = ""
        self.route: list[str] = []
        self.cseq = 1
        self.audio = Audio(peer.ip)
        self.ended = threading.Event()
        self.bye: Message | None = None  # the other side's

    def repeat(self) -> None:
        """Called often by the listening thread; for what must be sent again."""

    def confirm(self, reply: Message) -> None:
        """A 2xx to our INVITE."""

    def took(self, request: Message) -> None:
        """A request inside the call."""
        if request.method == "BYE":
            self.bye = request
            self.peer.reply(request, 200, "OK")
            self.ended.set()
        elif request.method == "INVITE":
            told = [("Contact", self.peer.contact), ("Content-Type", "application/sdp")]
            self.peer.reply(request, 200, "OK", *told, *self.peer.more_in_replies, body=self.sdp())
        elif request.method != "ACK":
            self.peer.reply(request, 200, "OK", *self.peer.more_in_replies)

    def sdp(self) -> str:
        """Our side of the media."""
        return sdp(self.peer.ip, self.audio.port, self.peer.sdp_name)

    def request(self, method: str, *more: tuple[str, str], body: str = "") -> Transaction:
        """A request inside the dialog."""
        self.cseq += 1
        return self.peer.ask(self._built(method, self.cseq, *more, body=body), self._next_hop())

    def _built(self, method: str, cseq: int, *more: tuple[str, str], body: str = "") -> Message:
        headers = [("Via", self.peer.via()), ("Max-Forwards", "70"), *(("Route", hop) for hop in self.route)]
        headers += [("From", self.local), ("To", self.remote), ("Call-ID", self.call_id)]
        headers += [("CSeq", f"{cseq} {method}"), *more]
        if body:
            headers.append(("Content-Type", "application/sdp"))
        return Message(f"{method} {self.target} SIP/2.0", headers, body)

    def _next_hop(self) -> Address:
        return host(address(self.route[0]) if self.route else self.target)

    def hang_up(self) -> Message:
        """BYE; the reply."""
        reply = self.request("BYE").final()
        self.ended.set()
        return reply

    def wait_ended(self, within_s: float = 15.0) -> None:
        """Until the other side (or the edge) hung up."""
        assert self.ended.wait(within_s), f"nobody hung up within {within_s:g} s"


class Leg(Dialog):
    """A call that arrived."""

    def __init__(self, peer: SipPeer, invite: Message) -> None:
        super().__init__(peer, invite.header("Call-ID"))
        self.invite = invite
        self.tag = token()
        self.local = f"{invite.header('To')};tag={self.tag}"
        self.remote = invite.header("From")
        self.target = address(invite.header("Contact"))
        self.route = invite.all("Record-Route")
        self.cancelled, self.acknowledged = threading.Event(), threading.Event()
        self._answer: Message | None = None
        self._sent_at = 0.0

    @property
    def is_free(self) -> bool:
        """Whether this phone neither rings nor talks any more."""
        return self.ended.is_set() or (self.cancelled.is_set() and self._answer is None)

    def ring(self) -> None:
        """180."""
        self._reply(180, "Ringing")

    def answer(self) -> None:
        """180 and 200, at once."""
        self.ring()
        self.pick_up()

    def pick_up(self) -> None:
        """200 with our media."""
        self.audio.remote = media_address(self.invite.body)
        self._answer = self._reply(200, "OK", body=self.sdp())
        self._sent_at = time.monotonic()

    def refuse(self, status: int, reason: str = "No") -> None:
        """A final refusal."""
        self._reply(status, reason)
        self.ended.set()

    def _reply(self, status: int, reason: str, body: str = "") -> Message:
        more = [("Contact", self.peer.contact), *([("Content-Type", "application/sdp")] if body else [])]
        tagged = Message(self.invite.first, list(self.invite.headers), self.invite.body, self.invite.source)
        tagged.headers = [(k, self.local if k.lower() in ("to", "t") else v) for k, v in tagged.headers]
        return self.peer.reply(tagged, status, reason, *more, body=body)

    def repeat(self) -> None:
        """The 200 again until its ACK."""
        if (
            self._answer
            and not self.acknowledged.is_set()
            and time.monotonic() - self._sent_at > REPEAT_200_S
        ):
            self._sent_at = time.monotonic()
            self.peer.send(self._answer, self.invite.source)

    def took(self, request: Message) -> None:
        """CANCEL is answered with 487, unless the call stands."""
        if request.method == "ACK":
            self.acknowledged.set()
        elif request.method == "CANCEL":
            self.peer.reply(request, 200, "OK")
            if self._answer is None:
                self.refuse(487, "Request Terminated")
            self.cancelled.set()
        else:
            super().took(request)
