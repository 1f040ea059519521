"""Billing's part of setups, until it is done: at once after the setup, and by a worker for what is left.

Killed anywhere in between, the row still says `pending` and the worker takes it up; what was done already is
answered again by billing. Two that complete one setup at once ask for the same things with the same keys.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from landline.chassis.background import rounds
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import Unavailable
from landline.chassis.resources import Row
from landline.chassis.settings import Settings
from landline.kernel.clock import utc
from sqlalchemy import select

from provisioning.adapters.peers import Peers
from provisioning.setups.billing import BillingPart, NotYet, Refused, SetupBilling
from provisioning.setups.resource import TABLE

PATIENCE_S = 3.0
ASK_AGAIN_S = 0.1
POLL_S = 2.0
LONGEST_PAUSE_S = 300
MOST_AT_ONCE = 20


async def complete(db: Database, settings: Settings, setup_id: UUID, patience_s: float = PATIENCE_S) -> Row:
    """Do what billing still has to do; the setup's row as it stands then. Never raises for billing's sake."""
    row = await _row(db, setup_id)
    if row["state"] == "done":
        return row
    billing = SetupBilling(Peers(settings))
    deadline = asyncio.get_running_loop().time() + patience_s
    while True:
        try:
            return await _say(db, settings, row, "done", part=await billing.do(row))
        except NotYet as reason:
            if asyncio.get_running_loop().time() > deadline:
                return await _say(db, settings, row, "pending", str(reason))
            await asyncio.sleep(ASK_AGAIN_S)
        except Refused as reason:
            return await _say(db, settings, row, "failed", str(reason))
        except Unavailable as reason:
            return await _say(db, settings, row, "pending", reason.detail)


async def _row(db: Database, setup_id: UUID) -> Row:
    async with db.transaction(Scope.system()) as tx:
        found = await tx.execute(select(TABLE).where(TABLE.c.id == setup_id))
        return dict(found.mappings().one())


async def _say(
    db: Database,
    settings: Settings,
    row: Row,
    state: str,
    problem: str | None = None,
    part: BillingPart | None = None,
) -> Row:
    now = utc(settings.clock.now_ms())
    pause_s = min(2 ** min(row["attempts"], 20), LONGEST_PAUSE_S)
    values = {
        "state": state,
        "problem": problem,
        "attempts": TABLE.c.attempts + 1,
        "next_try_at": now + timedelta(seconds=pause_s),
        "updated_at": now,
        "version": TABLE.c.version + 1,
    }
    if part is not None:
        values |= {"rating_profile_id": part.rating_profile_id, "operation_id": part.operation_id}
    # What another one has finished meanwhile stays finished.
    change = TABLE.update().where(TABLE.c.id == row["id"], TABLE.c.state != "done").values(values)
    async with db.transaction(Scope.system()) as tx:
        await tx.execute(change)
    return await _row(db, row["id"])


async def run_setups(db: Database, settings: Settings, stop: asyncio.Event) -> None:
    """Background work: complete pending setups."""

    async def complete_due() -> None:
        for setup_id in await _due(db, settings):
            await complete(db, settings, setup_id, patience_s=0)

    await rounds("client setups", complete_due, stop, every_s=POLL_S)


async def _due(db: Database, settings: Settings) -> list[UUID]:
    due = TABLE.c.next_try_at <= utc(settings.clock.now_ms())
    pending = select(TABLE.c.id).where(TABLE.c.state == "pending", due)
    async with db.transaction(Scope.system()) as tx:
        found = await tx.execute(pending.order_by(TABLE.c.next_try_at).limit(MOST_AT_ONCE))
        return [UUID(str(one)) for one in found.scalars()]
