"""A SIP user agent over UDP for stories: it can call and be called, and it keeps what it saw.

One socket and one listening thread each. Requests are repeated until something answers, a 200 until its
ACK (RFC 3261 17.1, 13.3.1.4), so that a story may kill what is between two peers.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from tests.edge.dialog import Dialog, Leg
from tests.edge.sip_message import Address, Message, parse, token

T1_S, T2_S = 0.5, 4.0


class NoReply(AssertionError):
    """Nobody answered in time."""


class Transaction:
    """A request of ours and the replies to it."""

    def __init__(self, peer: SipPeer, request: Message, target: Address) -> None:
        self.peer, self.request, self.target = peer, request, target
        self._queue: queue.Queue[Message] = queue.Queue()
        self.replies: list[Message] = []

    def took(self, reply: Message) -> None:
        """Called by the listening thread."""
        self._queue.put(reply)

    def send(self) -> None:
        """Out it goes; also a repetition."""
        self.peer.send(self.request, self.target)

    def final(self, within_s: float = 15.0) -> Message:
        """The first reply of 200 and above."""
        return self.wait(lambda reply: reply.status >= 200, within_s)

    def wait(self, wanted: Callable[[Message], bool], within_s: float = 15.0) -> Message:
        """The first reply that is wanted, repeating the request while nobody answers."""
        for reply in self.replies:
            if wanted(reply):
                return reply
        deadline, pause = time.monotonic() + within_s, T1_S
        while (left := deadline - time.monotonic()) > 0:
            try:
                reply = self._queue.get(timeout=min(pause, left))
            except queue.Empty:
                if not self.replies:
                    self.send()
                    pause = min(2 * pause, T2_S)
                continue
            self.replies.append(reply)
            if wanted(reply):
                return reply
        raise NoReply(f"{self.request.first}: not within {within_s:g} s; {[r.first for r in self.replies]}")


class SipPeer:
    """Base of phones and carriers. `when_called` decides about each new INVITE, in the listening thread."""

    protocol = "UDP"

    def __init__(self, ip: str, port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        self.socket.bind((ip, port))
        self.socket.settimeout(0.1)
        self.ip, self.port = self.socket.getsockname()
        self.when_called: Callable[[Leg], None] = Leg.answer
        self.sdp_name = ""  # what its SDP calls it, in every line that can
        self.more_in_replies: list[tuple[str, str]] = []  # headers of every answer inside a call
        self.quiet = False  # while True a new call is taken, but nothing is answered
        self.seen: list[Message] = []  # every request, repetitions left out
        self.heard: deque[bytes] = deque(maxlen=1000)  # every datagram, as it came
        self.legs: queue.Queue[Leg] = queue.Queue()
        self._transactions: dict[tuple[str, str], Transaction] = {}
        self._dialogs: dict[str, Dialog] = {}
        self._answered: dict[tuple[str, str], Message | None] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """The peer is gone; its address stays silent."""
        self._ended.set()
        self._thread.join()
        self.socket.close()
        for dialog in self._dialogs.values():
            dialog.audio.close()

    @property
    def contact(self) -> str:
        """Where it can be reached."""
        return f"<sip:{self.near_end}>"

    @property
    def near_end(self) -> str:
        """The address that it sends from."""
        return f"{self.ip}:{self.port}"

    def via(self) -> str:
        """A new transaction's Via."""
        return f"SIP/2.0/{self.protocol} {self.near_end};rport;branch=z9hG4bK{token()}"

    def send(self, message: Message, target: Address) -> None:
        """One datagram."""
        self.socket.sendto(message.encoded(), target)

    def ask(self, request: Message, target: Address) -> Transaction:
        """Send a request (not ACK) and collect its replies."""
        transaction = Transaction(self, request, target)
        self._transactions[request.branch, request.method] = transaction
        transaction.send()
        return transaction

    def keep(self, dialog: Dialog) -> None:
        """From now on requests with its Call-ID are the dialog's."""
        self._dialogs[dialog.call_id] = dialog

    def reply(
        self, request: Message, status: int, reason: str, *more: tuple[str, str], body: str = ""
    ) -> Message:
        """Answer a request; repetitions of it get the same answer."""
        kept = [
            (k, v)
            for k, v in request.headers
            if k.lower() in ("via", "v", "from", "f", "call-id", "i", "cseq", "record-route")
        ]
        to = request.header("To")
        to += "" if ";tag=" in to else f";tag={request.branch[-8:]}"
        answer = Message(f"SIP/2.0 {status} {reason}", [*kept, ("To", to), *more], body)
        self._answered[request.branch, request.method] = answer
        self.send(answer, request.source)
        return answer

    def next_leg(self, within_s: float = 15.0) -> Leg:
        """The next call that arrived here."""
        try:
            return self.legs.get(timeout=within_s)
        except queue.Empty:
            raise NoReply(f"no call arrived at {self.ip} within {within_s:g} s") from None

    def invites(self) -> list[Message]:
        """All INVITEs that opened a call here."""
        return [m for m in self.seen if m.method == "INVITE" and ";tag=" not in m.header("To")]

    def _listen(self) -> None:
        while not self._ended.is_set():
            for dialog in list(self._dialogs.values()):
                dialog.repeat()
            try:
                data, source = self.socket.recvfrom(65535)
            except TimeoutError:
                continue
            self.heard.append(data)
            message = parse(data, source)
            if message is None:
                continue
            if message.status:
                self._took_reply(message)
            else:
                self._took_request(message)

    def _took_reply(self, reply: Message) -> None:
        found = self._transactions.get((reply.branch, reply.method))
        if found is None:
            return
        if reply.method == "INVITE" and reply.status >= 200:
            self._acknowledge(found, reply)
        found.took(reply)

    def _acknowledge(self, transaction: Transaction, reply: Message) -> None:
        """A refusal is acknowledged in the transaction; a 2xx by its dialog, again for each repetition."""
        invite = transaction.request
        dialog = self._dialogs.get(invite.header("Call-ID"))
        if reply.status < 300:
            if dialog:
                dialog.confirm(reply)
            return
        kept = [(k, v) for k, v in invite.headers if k in ("From", "Call-ID", "Max-Forwards", "Route")]
        cseq = invite.header("CSeq").split()[0]
        headers = [("Via", invite.header("Via")), *kept, ("To", reply.header("To")), ("CSeq", f"{cseq} ACK")]
        self.send(Message(f"ACK {invite.uri} SIP/2.0", headers), transaction.target)

    def _took_request(self, request: Message) -> None:
        if (request.branch, request.method) in self._answered:
            before = self._answered[request.branch, request.method]
            if before is not None:
                self.send(before, request.source)
            return
        if request.method != "ACK":
            self.seen.append(request)
        dialog = self._dialogs.get(request.header("Call-ID"))
        if dialog is not None and (";tag=" in request.header("To") or request.method == "CANCEL"):
            dialog.took(request)
        elif request.method == "INVITE":
            leg = Leg(self, request)
            self.keep(leg)
            if self.quiet:
                self._answered[request.branch, "INVITE"] = None
            else:
                self.reply(request, 100, "Trying")
                self.when_called(leg)
            self.legs.put(leg)
        elif request.method == "OPTIONS":
            self.reply(request, 200, "OK")
        elif request.method != "ACK":
            self.took_other(request)

    def took_other(self, request: Message) -> None:
        """A request that belongs to nothing here; called by the listening thread."""
        self.reply(request, 481, "Call/Transaction Does Not Exist")
