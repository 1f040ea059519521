"""A SIP edge without SIP: speaks the edge API as Kamailio would, one coroutine a call."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
from landline.kernel.ids import new_id

BASE = "/api/call-control/v1"


@dataclass
class Line:
    """One call as the live view shows it."""

    who: str
    callee: str
    state: str = "asking"
    detail: str = ""


@dataclass
class EdgeSimulator:
    """Admits, rings, answers and ends calls; remembers each for the view."""

    http: httpx.AsyncClient
    domain: str
    lines: list[Line] = field(default_factory=list)
    denials: Counter[str] = field(default_factory=Counter)

    async def admit(self, device: str, callee: str, **changes: Any) -> dict[str, Any]:
        """Ask for an admission; `changes` replace fields of the request."""
        body = {
            "attempt_id": new_id(),
            "sip_call_id": new_id(),
            "direction": "outbound",
            "source_ip": "203.0.113.7",
            "auth_user": device,
            "auth_realm": self.domain,
            "from_user": device,
            "from_domain": self.domain,
            "request_user": callee,
            "request_domain": self.domain,
            **changes,
        }
        answer = await self.http.post(f"{BASE}/calls", json=body)
        answer.raise_for_status()
        return dict(answer.json())

    async def call(
        self, device: str, callee: str, *, talk_s: float = 3.0, ring_s: float = 1.0, **changes: Any
    ) -> None:
        """One call from INVITE to BYE; talk_s 0: the callee does not answer."""
        line = Line(device, callee)
        self.lines.append(line)
        answer = await self.admit(device, callee, **changes)
        if answer["decision"] != "allow":
            reason = str(answer.get("reason", answer["decision"]))
            line.state, line.detail = (
                f"denied {answer.get('sip_code', '')}",
                f"{reason}: {answer.get('detail')}",
            )
            self.denials[reason] += 1
            return
        line.callee = f"{answer['caller']} -> {answer['callee']}"
        await self._carry(line, answer, talk_s, ring_s)

    async def _carry(self, line: Line, answer: dict[str, Any], talk_s: float, ring_s: float) -> None:
        path = f"{BASE}/calls/{answer['call_id']}"
        server_id = answer["routes"][0]["server_id"]
        line.state, line.detail = "ringing", f"may last {answer['max_duration_s']} s"
        await self.http.post(f"{path}/ringing", json={"at": time.time()})
        await asyncio.sleep(ring_s)
        answered_at = time.time() if talk_s else None
        if answered_at:
            line.state = "talking"
            await self.http.post(f"{path}/answered", json={"at": answered_at, "server_id": server_id})
            await asyncio.sleep(talk_s)
        end = {
            "at": time.time(),
            "answered_at": answered_at,
            "sip_code": 200 if answered_at else 487,
            "cause": "normal" if answered_at else "no_answer",
            "ended_by": "caller",
            "server_id": server_id,
            "attempts": [{"server_id": server_id, "sip_code": 200 if answered_at else 487, "ms": 40}],
            "ticket": answer["ticket"],
        }
        reported = await self.http.post(f"{path}/ended", json=end)
        line.state = "ended" if reported.status_code == 204 else f"report refused {reported.status_code}"
        line.detail = f"talked {talk_s:.0f} s" if talk_s else "no answer"
