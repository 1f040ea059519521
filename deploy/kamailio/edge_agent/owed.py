"""What call-control is told when it is back: emergency calls that went out without it, and attempts that it
may have admitted after the edge had given up waiting."""

from __future__ import annotations

import json
import logging
from typing import Any

from edge_agent.call_control import CallControl, Refused
from edge_agent.kamailio import Kamailio

log = logging.getLogger("edge_agent.owed")


class Owed:
    """Calls of the `owed` table, each with the question that could not be asked."""

    def __init__(self, kamailio: Kamailio, calls: CallControl) -> None:
        self._kamailio = kamailio
        self._calls = calls

    async def settle(self) -> int:
        """Ask and report; the same attempt is the same call, so a repetition makes no second record.

        How many were settled. Raises KamailioAway, CallControlAway.
        """
        settled = 0
        for key, text in (await self._kamailio.table("owed")).items():
            end = json.loads(text)
            question = end.pop("question")
            try:
                await self._tell(question if isinstance(question, dict) else json.loads(question), end)
            except Refused as error:
                log.warning("not recorded: %s: %s: %s", key, error, text)
            await self._kamailio.command("htable.delete", "owed", key)
            settled += 1
        return settled

    async def _tell(self, question: dict[str, Any], end: dict[str, Any]) -> None:
        said = await self._calls.post("/calls", question)
        if said.get("decision") != "allow":
            raise Refused(f"{said.get('decision')} {said.get('reason', '')}")
        await self._calls.post(f"/calls/{said['call_id']}/ended", {**end, "ticket": said["ticket"]})
