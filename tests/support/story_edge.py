"""A SIP edge that a story drives by hand: one request at a time, every answer kept as it came."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
from landline.kernel.ids import new_id

if TYPE_CHECKING:
    from tests.support.world import Home

BASE = "/api/call-control/v1"
Row = dict[str, Any]


class Refusal(AssertionError):
    """The admission was answered with something else than an allow."""


class StoryCall:
    """An admitted call, seen by its edge."""

    def __init__(self, edge: Edge, answer: Row) -> None:
        self.edge = edge
        self.answer = answer
        self.id = str(answer["call_id"])
        self.ticket = str(answer["ticket"])
        self.server_id = str(answer["routes"][0]["server_id"])
        self.answered_at: float | None = None
        self.last_end: Row = {}

    def report(self, kind: str, **body: Any) -> httpx.Response:
        """POST /calls/{id}/{kind}; `at` is now when it is not given."""
        return self.edge.post(f"/calls/{self.id}/{kind}", {"at": self.edge.now(), **body})

    def ringing(self) -> None:
        """The called side rings."""
        assert self.report("ringing").status_code == 204

    def answered(self, at: float | None = None) -> float:
        """Conversation begins; at which second (epoch)."""
        at = self.edge.now() if at is None else at
        self.answered_at = at if self.answered_at is None else self.answered_at
        reported = self.report("answered", at=at, server_id=self.server_id)
        assert reported.status_code == 204, reported.text
        return at

    def ended(self, at: float | None = None, *, cause: str = "normal", **more: Any) -> float:
        """It is over; at which second (epoch). Answer and ticket go along, as an edge always sends them."""
        at = self.edge.now() if at is None else at
        body = {"sip_code": 200, "cause": cause, "ended_by": "caller", "server_id": self.server_id}
        body |= {"at": at, "answered_at": self.answered_at, "ticket": self.ticket, **more}
        self.last_end = body
        self.ended_again()
        return at

    def ended_again(self) -> None:
        """The same report once more: its 204 was lost."""
        reported = self.report("ended", **self.last_end)
        assert reported.status_code == 204, reported.text


class Edge:
    """One edge key. `now` gives the platform's time in epoch seconds (a test clock may be moved)."""

    def __init__(self, url: str, key: str) -> None:
        self.key = key
        self.now: Callable[[], float] = time.time
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        self._boot_id, self._seq = new_id(), 0

    def post(self, path: str, body: Any) -> httpx.Response:
        """POST below call-control's base."""
        return self.http.post(f"{BASE}{path}", json=body)

    def is_known(self) -> bool:
        """Whether the key is taken: a request that is not JSON is refused for that, not for the key."""
        return self.http.post(f"{BASE}/calls", content=b"?").status_code == 422

    def request(self, home: Home, callee: str, **changes: Any) -> Row:
        """The body of an admission of the home's device; `changes` replace or add fields."""
        domain = home.brand.domain
        return {
            "attempt_id": new_id(),
            "sip_call_id": f"{new_id()}@edge.example",
            "direction": "outbound",
            "source_ip": "203.0.113.7",
            "auth_user": home.device,
            "auth_realm": domain,
            "from_user": home.device,
            "from_domain": domain,
            "request_user": callee,
            "request_domain": domain,
            **changes,
        }

    def ask(self, home: Home, callee: str, **changes: Any) -> Row:
        """The answer of an admission, whatever it is."""
        answer = self.post("/calls", self.request(home, callee, **changes))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def admit(self, home: Home, callee: str, **changes: Any) -> StoryCall:
        """An admission that must be allowed."""
        answer = self.ask(home, callee, **changes)
        if answer["decision"] != "allow":
            raise Refusal(f"{answer}")
        return StoryCall(self, answer)

    def denied(self, home: Home, callee: str, **changes: Any) -> Row:
        """An admission that must be denied; the denial."""
        answer = self.ask(home, callee, **changes)
        assert answer["decision"] == "deny", answer
        return answer

    def talk(self, home: Home, callee: str, seconds: float) -> StoryCall:
        """A call that is answered and ended `seconds` later; waits for that moment."""
        call = self.admit(home, callee)
        answered_at = call.answered()
        while self.now() < answered_at + seconds:
            time.sleep(0.05)
        call.ended(answered_at + seconds)
        return call

    def heartbeat(self, *calls: StoryCall | str, **changes: Any) -> Row:
        """A complete list of live calls in one page; what the edge is told to do."""
        self._seq += 1
        named = [call if isinstance(call, str) else call.id for call in calls]
        body = {
            "instance_id": "instance-1",
            "boot_id": self._boot_id,
            "seq": self._seq,
            "last": True,
            "taken_at": self.now(),
            "calls": [{"call_id": call_id, "state": "answered"} for call_id in named],
            **changes,
        }
        answer = self.post("/edges/heartbeat", body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())
