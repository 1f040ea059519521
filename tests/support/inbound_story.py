"""Stories of calls that come in and of those they lead to: the called client, a neighbour of another brand.

Casa (tests/support/configured.py) has the number c.NUMBER at device casa1, and c.NUMBER_2 at casa2. The
neighbour has NEXT_NUMBER at device next1, in a brand and partition of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from call_control.adapters.counters import Counters
from call_control.adapters.placement import Change
from call_control.app.reconcile import find_drifts
from call_control.domain.facts import KeptContact
from landline.contracts.call_control.events import CallEnded
from landline.kernel.ids import new_id

from tests.support import configured as c
from tests.support.outbound_story import Story, telling

PROVIDER_IP = "198.51.100.77"
STRANGER = "+34911222333"
NEXT_BRAND = "019a0000-0000-7000-8000-0000000000f2"
NEXT_CLIENT = "019a0000-0000-7000-8000-0000000000f3"
NEXT_DEVICE = "019a0000-0000-7000-8000-0000000000f4"
NEXT_DDI = "019a0000-0000-7000-8000-0000000000f5"
NEXT_NUMBER = "+34955000111"
NEXT_PARTITION = 40
LONG_MS = 365 * 86_400_000  # Redis expires contacts by its own clock, whatever the story's says
Row = dict[str, Any]


def neighbour(**client: Any) -> list[Change]:
    """A brand of its own with one client, device and number: all that an on-net call needs there."""
    own: dict[str, Any] = {"brand_id": NEXT_BRAND}
    brand = {"name": "Next", "sip_domain": "sip.next.example", "partition": NEXT_PARTITION, "country": "ES"}
    row = {"brand_id": NEXT_BRAND, "name": "Next door", "country": "ES", "billing_method": "none", **client}
    device = {"name": "next1", "client_id": NEXT_CLIENT, "direct_connectivity": False, "enabled": True}
    ddi = {"number": NEXT_NUMBER, "client_id": NEXT_CLIENT, "kind": "inout", "state": "active"}
    theirs = {**own, "client_id": NEXT_CLIENT}
    return [
        c.row("brand", NEXT_BRAND, brand, **own),
        c.row("client", NEXT_CLIENT, row, **theirs),
        c.row("device", NEXT_DEVICE, device, **theirs),
        c.row("ddi", NEXT_DDI, {**ddi, "target": "device", "device_id": NEXT_DEVICE}, **theirs),
    ]


class House:
    """A story with the called side configured."""

    def __init__(self, story: Story) -> None:
        self.story = story

    async def register(
        self, device_id: str = c.DEVICE, partition: int = c.PARTITION, host: str = "192.0.2.9"
    ) -> str:
        """A contact of a device, good for the whole story; its URI."""
        now_ms = self.story.clock.now_ms()
        uri = f"sip:{device_id[-2:]}@{host}:5070"
        contact = KeptContact(uri=uri, edge="edge1", expires_at_ms=now_ms + LONG_MS, registered_at_ms=now_ms)
        await self.story.parts.registrations.put(partition, device_id, contact, now_ms, most=10)
        return uri

    async def arrives(self, number: str = c.NUMBER, **changes: Any) -> Row:
        """A call from the provider; the decision."""
        asked = {
            "direction": "inbound",
            "source_ip": PROVIDER_IP,
            "auth_user": None,
            "auth_realm": None,
            "from_user": STRANGER[1:],
            "from_domain": "telco.example",
            "asserted_identity": None,
            "request_user": number,
            "attempt_id": new_id(),
        }
        return await self.story.call(**{**asked, **changes})

    async def failed(self, call: Row, sip_code: int, **more: Any) -> Row:
        """The target did not take it; what is next."""
        body = {"target": "casa1", "sip_code": sip_code, **more}
        answer = await self.story.post(f"/calls/{call['call_id']}/failed", body)
        assert answer.status_code == 200, answer.text
        decision: Row = answer.json()
        return decision

    async def ended(self) -> dict[str, CallEnded]:
        """Call id -> how it ended, of both brands."""
        events = await self.story.events("call.ended.v1") + await self.story.events(
            "call.ended.v1", NEXT_PARTITION
        )
        found = [event.read(CallEnded) for event in events]
        assert len({each.call.call_id for each in found}) == len(found), "a call ended twice"
        return {each.call.call_id: each for each in found}

    async def nothing_left(self) -> None:
        """No live call, and every counter is what its calls add up to."""
        assert await self.story.parts.store.live_calls() == []
        assert await find_drifts(self.story.parts.store, Counters(self.story.parts.batch), pause_s=0) == []
        usage = await self.story.usage()
        assert (usage["active_calls"], usage["held"]) == (0, "0.00")


@asynccontextmanager
async def at_home(redis_url: str, data: Path) -> AsyncIterator[House]:
    """Casa with its two numbers leading to its two devices, a trusted provider, and the neighbour."""
    async with telling(redis_url, data) as story:
        await story.configure(
            c.client(2, max_calls=0),
            c.device(version=2, max_calls=2),
            c.provider(),
            c.provider_address(PROVIDER_IP),
            c.ddi(version=2, target="device", device_id=c.DEVICE),
            c.ddi(c.DDI_2, c.NUMBER_2, version=2, target="device", device_id=c.OTHER_DEVICE),
            *neighbour(),
        )
        yield House(story)
