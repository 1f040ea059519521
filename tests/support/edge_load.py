"""An edge under load: many calls at once, each report repeated until 204 or 404, as contracts section 4 says.

It remembers what it was told and what it reported, so that afterwards `tests/support/load_check.py` can hold
the platform to it. Time is bounded everywhere: a platform that never comes back fails the test.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
from landline.kernel.ids import new_id

from tests.support.story_edge import BASE, Edge
from tests.support.world import MOBILE, Home

REPEAT_S = 0.3  # a real edge repeats every 5 s
GIVE_UP_S = 420.0
Row = dict[str, Any]


class GivenUp(AssertionError):
    """The platform did not answer for so long that the test gives up."""


@dataclass
class LoadCall:
    """One admitted call as its edge saw it. Moments in Unix ms."""

    home: Home
    id: str
    ticket: str
    answered_ms: int | None = None
    ended_ms: int | None = None
    acknowledged: bool = False
    unknown: list[str] = field(default_factory=list)

    @property
    def talked_s(self) -> int:
        """Whole seconds between answer and end, at least 1 for an answered call (domain section 6)."""
        if self.answered_ms is None or self.ended_ms is None:
            return 0
        return max(1, (self.ended_ms - self.answered_ms) // 1000)


class EdgeLoad:
    """Keeps `lanes` calls going at once for some seconds, over the given homes in turn."""

    def __init__(self, edge: Edge, homes: Sequence[Home], *, lanes: int = 8, talk_s: float = 0.4) -> None:
        self._edge, self._homes, self._lanes, self._talk_s = edge, homes, lanes, talk_s
        self._random = Random(4711)
        self.calls: list[LoadCall] = []
        self.denials: Counter[str] = Counter()
        self.repeated: Counter[str] = Counter()
        self._live: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()

    async def run(self, seconds: float, calls: int = 0) -> None:
        """All lanes until the time is up, and until so many calls were made; then every call that began is
        ended and acknowledged."""
        until, self._wanted = time.monotonic() + seconds, calls
        limits = httpx.Limits(max_connections=self._lanes)
        headers = dict(self._edge.http.headers)
        base_url = self._edge.http.base_url
        async with httpx.AsyncClient(
            base_url=base_url, headers=headers, limits=limits, timeout=10, trust_env=False
        ) as http:
            self._http = http
            await asyncio.gather(*(self._lane(lane, until) for lane in range(self._lanes)))

    async def _lane(self, lane: int, until: float) -> None:
        turn = lane
        while time.monotonic() < until or len(self.calls) < self._wanted:
            await self._one(self._homes[turn % len(self._homes)])
            turn += 1

    async def _one(self, home: Home) -> None:
        answer = await self._admit(home)
        if answer["decision"] != "allow":
            self.denials[answer["reason"]] += 1
            await asyncio.sleep(0.05)
            return
        call = LoadCall(home, answer["call_id"], answer["ticket"])
        self.calls.append(call)
        self._live[home.id] += 1
        self.peak[home.id] = max(self.peak[home.id], self._live[home.id])
        await self._report(call, "ringing", {"at": _now_ms() / 1000})
        if self._random.random() < 0.85:
            call.answered_ms = _now_ms()
            await self._report(call, "answered", {"at": call.answered_ms / 1000})
            await asyncio.sleep(self._random.random() * 2 * self._talk_s)
        call.ended_ms = _now_ms()
        self._live[home.id] -= 1  # before it is reported: from now on the platform may give the slot away
        await self._end(call)

    async def _end(self, call: LoadCall) -> None:
        assert call.ended_ms is not None
        answered_at = None if call.answered_ms is None else call.answered_ms / 1000
        body = {
            "at": call.ended_ms / 1000,
            "answered_at": answered_at,
            "cause": "normal" if answered_at else "cancelled",
            "sip_code": 200 if answered_at else 487,
            "ended_by": "caller",
            "ticket": call.ticket,
        }
        call.acknowledged = await self._report(call, "ended", body)
        if self._random.random() < 0.2:
            await self._report(call, "ended", body)  # the 204 was lost

    async def _admit(self, home: Home) -> Row:
        """The answer of one attempt, asked again with the same id until there is one."""
        body = self._edge.request(home, MOBILE, attempt_id=new_id())
        return dict((await self._until_answered("/calls", body, (200,))).json())

    async def _report(self, call: LoadCall, kind: str, body: Row) -> bool:
        """True for 204; a 404 is kept: no call of ours may be unknown."""
        answer = await self._until_answered(f"/calls/{call.id}/{kind}", body, (204, 404))
        if answer.status_code == 404:
            call.unknown.append(kind)
        return answer.status_code == 204

    async def _until_answered(self, path: str, body: Row, good: tuple[int, ...]) -> httpx.Response:
        deadline = time.monotonic() + GIVE_UP_S
        while time.monotonic() < deadline:
            try:
                answer = await self._http.post(f"{BASE}{path}", json=body)
                if answer.status_code in good:
                    return answer
                assert answer.status_code in (502, 503, 504), f"{path}: {answer.status_code} {answer.text}"
                self.repeated[str(answer.status_code)] += 1
            except httpx.TransportError as error:
                self.repeated[type(error).__name__] += 1
            await asyncio.sleep(REPEAT_S)
        raise GivenUp(f"{path}: no answer within {GIVE_UP_S:.0f} s; {dict(self.repeated)}")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
