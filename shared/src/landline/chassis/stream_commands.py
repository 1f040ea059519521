"""Commands that every consuming service has: what was given up, and reading again what was read.

<service> dead-letters            list them; exit code 1 when there are some
<service> dead-letters --replay   put them back, for this service alone
billing replay                    after a restore: read again all that the streams still hold
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from landline.chassis.dead_letters import list_dead, replay_dead
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from landline.chassis.streams import create_groups, unread
from landline.contracts import streams as names

SHOWN = 100
REPLAY_WITHIN_S = 3600.0


def add_dead_letters(cli: typer.Typer, group: str, streams: Sequence[str]) -> None:
    """Give a service's command `dead-letters`."""

    @cli.command("dead-letters")
    def dead_letters(
        replay: Annotated[bool, typer.Option("--replay", help="put them back on their streams")] = False,
    ) -> None:
        """Entries that failed by themselves five times. Exit code 1 when there are some."""
        found = asyncio.run(_dead(Settings(), group, streams, replay=replay))
        if found and not replay:
            raise typer.Exit(1)


async def _dead(settings: Settings, group: str, streams: Sequence[str], *, replay: bool) -> int:
    redis = await connect(settings)
    try:
        if replay:
            put_back = sum([await replay_dead(redis, stream, group) for stream in streams])
            typer.echo(f"{put_back} put back")
            return put_back
        count = 0
        for stream in streams:
            count += int(await redis.xlen(names.dead_letters(stream, group)))
            for row in await list_dead(redis, stream, group, SHOWN):
                typer.echo(f"{stream} {row['entry_id']}: {row['reason']}\n    {row['event'][:500]}")
        typer.echo(f"{count} dead letters")
        return count
    finally:
        await redis.aclose()


def add_replay(cli: typer.Typer, group: str, streams: Sequence[str]) -> None:
    """Give a service's command `replay`."""

    @cli.command("replay")
    def replay(
        within_s: Annotated[float, typer.Option(help="wait so long until all is read")] = REPLAY_WITHIN_S,
    ) -> None:
        """Read again every call that the streams still hold. What is recorded already changes nothing.

        For after a restore: `consume` must run. Exit code 1 when it was not all read in time.
        """
        left, count = asyncio.run(_replay(Settings(), group, streams, within_s))
        typer.echo(
            f"{count} entries read again" if not left else f"{left} of {count} entries are not read yet"
        )
        raise typer.Exit(1 if left else 0)


async def _replay(settings: Settings, group: str, streams: Sequence[str], within_s: float) -> tuple[int, int]:
    redis = await connect(settings)
    try:
        await create_groups(redis, group, streams)
        count = sum([int(await redis.xlen(stream)) for stream in streams])
        for stream in streams:
            await redis.xgroup_setid(stream, group, "0")
        deadline = time.monotonic() + within_s
        while left := sum([await unread(redis, group, stream) for stream in streams]):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.2)
        return left, count
    finally:
        await redis.aclose()
