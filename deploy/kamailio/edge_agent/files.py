"""Peers and emergency fallback: fetched, kept on disk, loaded into Kamailio. A renewed certificate, too."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from edge_agent.call_control import CallControl
from edge_agent.kamailio import Kamailio
from edge_agent.settings import Tls
from edge_agent.state import fallback_table, peers_list, write

log = logging.getLogger("edge_agent.files")


class Files:
    """`refresh` is safe to repeat; Kamailio is told only of what changed, and after it has started anew."""

    def __init__(self, state: Path, kamailio: Kamailio, calls: CallControl, tls: Tls | None) -> None:
        self._state = state
        self._tls = tls
        self._certified = self._stamp()
        self._kamailio = kamailio
        self._calls = calls

    async def refresh(self) -> None:
        """Raises CallControlAway, Refused, KamailioAway, CommandRefused."""
        await self._renew_certificate()
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

    async def _renew_certificate(self) -> None:
        """Kamailio reads it again when its files have changed; connections that stand keep the old one."""
        stamp = self._stamp()
        if stamp != self._certified:
            await self._kamailio.command("tls.reload")
            self._certified = stamp
            log.info("the certificate was read again")

    def _stamp(self) -> tuple[int, ...]:
        """Moments of the files' last changes."""
        files = (self._tls.certificate, self._tls.key) if self._tls else ()
        return tuple(path.stat().st_mtime_ns for path in files if path.exists())
