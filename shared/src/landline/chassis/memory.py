"""Keeping garbage collection out of the way of answers.

A worker caches facts of thousands of clients: a million objects that live long. CPython's full collections
walk over all of them, which stops a worker for a tenth of a second and more. So what has survived is frozen
every few seconds (`gc.freeze`): later collections see only what is newer, and stay short. Frozen objects
are still freed when nothing refers to them; only cycles made of them are not, and facts have none.
"""

from __future__ import annotations

import asyncio
import gc

from landline.chassis.background import pause

EVERY_S = 3.0
# Young collections are short but many: one in 50,000 allocations instead of one in 700.
THRESHOLDS = (50_000, 20, 100)


async def keep_settled(stop: asyncio.Event) -> None:
    """Collect what is new and freeze what survived, every few seconds until told to stop."""
    gc.set_threshold(*THRESHOLDS)
    while not stop.is_set():
        gc.collect()
        gc.freeze()
        await pause(stop, EVERY_S)
