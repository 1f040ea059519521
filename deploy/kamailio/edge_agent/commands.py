"""What call-control may tell this edge to do."""

from __future__ import annotations

import asyncio
import logging
import math
import time

from edge_agent.kamailio import CommandRefused, Kamailio

log = logging.getLogger("edge_agent.commands")


class Commands:
    """Each is safe to repeat; one about a call that is over does nothing."""

    def __init__(self, kamailio: Kamailio) -> None:
        self._kamailio = kamailio
        self.reload_wanted = asyncio.Event()
        self.accounts_wanted = asyncio.Event()

    async def hang_up(self, call_id: str, cause: str) -> bool:
        """End a call; `cause` is what its report will say. False when there is no such call."""
        call = await self._kamailio.find(call_id)
        if call is None:
            return False
        log.info("hanging up %s %s", call_id, cause)
        await self._kamailio.hang_up(call.dialog)
        return True

    async def extend(self, call_id: str, max_duration_s: int) -> bool:
        """A call may last so long from its answer on. False when there is no such call."""
        call = await self._kamailio.find(call_id)
        if call is None or call.state != "answered":
            return False
        # Kamailio counts in ticks of a second and may fire one early; what is paid for must not be cut (and
        # call-control, where it can, ends the call at the exact second).
        remaining_s = math.ceil(float(call.answered_at) + max_duration_s - time.time()) + 1
        if remaining_s > 0:
            await self._kamailio.extend(call.dialog, remaining_s)
        return True

    async def drop_credentials(self, user: str, domain: str) -> bool:
        """Ask for this device's HA1 anew when it comes next."""
        try:
            await self._kamailio.command("htable.delete", "ha1", f"{user}@{domain}")
        except CommandRefused:
            return False
        return True

    async def lift_ban(self, address: str) -> bool:
        """Listen to an address again. False when it was not banned."""
        try:
            await self._kamailio.command("htable.delete", "banned", address)
        except CommandRefused:
            return False
        return True

    async def reload(self) -> bool:
        """Fetch peers, fallback and accounts now."""
        self.reload_wanted.set()
        self.accounts_wanted.set()
        return True

    async def end_dead_media(self, sip_call_id: str, from_tag: str, to_tag: str, silent_s: float) -> None:
        """No RTP either way for so long: the call ended with the last packet."""
        said = f"media_timeout {time.time() - silent_s:.3f}"
        log.warning("no media in %s", sip_call_id)
        await self._kamailio.command("htable.sets", "cause", sip_call_id, said)
        await self._kamailio.command("dlg.terminate_dlg", sip_call_id, from_tag, to_tag)
