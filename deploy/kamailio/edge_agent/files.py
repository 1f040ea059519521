"""Peers and emergency fallback: fetched, kept on disk, loaded into Kamailio."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from edge_agent.call_control import CallControl
from edge_agent.kamailio import Kamailio
from edge_agent.state import fallback_table, peers_list, write

log = logging.getLogger("edge_agent.files")


class Files:
    """`refresh` is safe to repeat; Kamailio is told only of what changed, and after it has started anew."""

    def __init__(self, state: Path, kamailio: Kamailio, calls: CallControl) -> None:
        self._state = state
        self._kamailio = kamailio
        self._calls = calls

    async def refresh(self) -> None:
        """Raises CallControlAway, Refused, KamailioAway, CommandRefused."""
        peers = await self._calls.get("/edges/peers")
        if write(self._state / "peers.list", peers_list(peers["peers"])):
            write(self._state / "peers.json", json.dumps(peers))
            await self._kamailio.command("permissions.addressReload")
            log.info("%d peers, version %s", len(peers["peers"]), peers["version"])
        fallback = await self._calls.get("/edges/fallback")
        if write(self._state / "db" / "fallback", fallback_table(fallback["emergency"])):
            write(self._state / "fallback.json", json.dumps(fallback))
            await self._kamailio.command("htable.reload", "fallback")
            log.info("%d emergency numbers, version %s", len(fallback["emergency"]), fallback["version"])
