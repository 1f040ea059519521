"""Lists of live calls, in pages, and what call-control says to them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

from edge_agent.call_control import CallControl, CallControlAway, Refused
from edge_agent.commands import Commands
from edge_agent.kamailio import Kamailio, Live

PAGE = 100
log = logging.getLogger("edge_agent.heartbeat")


class Heartbeat:
    """One list per `beat`. A call whose dialog is gone twice in a row is named no more."""

    def __init__(self, instance_id: str, kamailio: Kamailio, calls: CallControl, commands: Commands) -> None:
        self._instance_id = instance_id
        self._kamailio = kamailio
        self._calls = calls
        self._commands = commands
        self._seq = 0
        self._gone: set[str] = set()

    async def beat(self) -> int:
        """Send the whole list; how many calls it names. Raises KamailioAway, CallControlAway, Refused."""
        boot_id, taken_at = await self._kamailio.boot_id(), time.time()
        live = await self._really_live()
        for last, page in _pages(live):
            self._seq += 1
            body = {
                "instance_id": self._instance_id,
                "boot_id": boot_id,
                "seq": self._seq,
                "last": last,
                "taken_at": taken_at,
                "calls": [_named(call) for call in page],
            }
            await self._obey(await self._calls.post("/edges/heartbeat", body), page)
        return len(live)

    async def _really_live(self) -> list[Live]:
        """Calls that have a dialog; asked for before the dialogs, so that none can be too new to be seen."""
        live = await self._kamailio.live()
        dialogs = await self._kamailio.dialogs()
        without = {call.call_id for call in live if call.dialog not in dialogs}
        lost, self._gone = without & self._gone, without
        for call_id in lost:
            log.warning("call %s has no dialog any more", call_id)
            await self._kamailio.command("htable.delete", "live", call_id)
        return [call for call in live if call.call_id not in lost]

    async def _obey(self, said: dict[str, Any], page: Sequence[Live]) -> None:
        for call_id in said.get("hang_up", ()):
            await self._commands.hang_up(call_id, "")
        for each in said.get("extend", ()):
            await self._commands.extend(each["call_id"], each["max_duration_s"])
        unknown = set(said.get("unknown", ()))
        if said.get("resync") and unknown:
            await self._resync([call for call in page if call.call_id in unknown])

    async def _resync(self, calls: Sequence[Live]) -> None:
        """Prove by their tickets that these calls were admitted; what can't be proved is ended."""
        body = {"calls": [{**_named(call), "ticket": call.ticket} for call in calls]}
        said = await self._calls.post("/edges/resync", body)
        for call_id in said.get("unknown", ()):
            log.error("call %s is not known to call-control, and its ticket is not believed", call_id)


def _pages(live: list[Live]) -> Iterator[tuple[bool, list[Live]]]:
    """Pages with whether they are the last; an empty list is one empty page."""
    starts = range(0, max(1, len(live)), PAGE)
    for start in starts:
        yield start + PAGE >= len(live), live[start : start + PAGE]


def _named(call: Live) -> dict[str, Any]:
    named: dict[str, Any] = {"call_id": call.call_id, "state": call.state}
    if call.state == "answered":
        named["answered_at"] = float(call.answered_at)
    return named


__all__ = ["CallControlAway", "Heartbeat", "Refused"]
