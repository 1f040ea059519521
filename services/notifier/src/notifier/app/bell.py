"""Wakes whoever waits for work in this process; elsewhere they find it by looking once a second."""

from __future__ import annotations

import asyncio
import contextlib


class Bell:
    """`ring()` wakes all who wait, and whoever comes next if nobody did."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """There is something to do."""
        self._event.set()

    async def wait(self, patience_s: float) -> None:
        """Until it rings, at most `patience_s`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), patience_s)
        self._event.clear()
