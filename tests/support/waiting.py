"""Wait for something to become true, instead of sleeping for as long as it might take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


async def until(
    measure: Callable[[], Awaitable[Any]],
    *,
    equals: Any = None,
    at_least: int | None = None,
    within_s: float = 15,
) -> None:
    """Ask until the measure is what is wanted; AssertionError with the last answer after `within_s`."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        found = await measure()
        if (found >= at_least) if at_least is not None else (found == equals):
            return
        wanted = f"at least {at_least}" if at_least is not None else repr(equals)
        assert asyncio.get_running_loop().time() < deadline, f"still {found!r}, wanted {wanted}"
        await asyncio.sleep(0.01)
