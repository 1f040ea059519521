"""The doctor on the platform's own machine: stores, dead letters and books, by the services' own settings."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from landline.chassis.dead_letters import dead_waiting, list_dead
from landline.chassis.postgres import Database
from landline.chassis.redis import AnyRedis, connect, durability_gaps
from landline.chassis.settings import Settings
from landline.cli.findings import Finding
from landline.contracts.streams import READERS

ROLES = ("provisioning", "call_control", "billing", "notifier")
PATIENCE_S = 5.0
BOOKS_S = 300
BOOKS = (
    ("call-control", "reconcile", "counters", "call-control reconcile --repair puts counters right"),
    (
        "billing",
        "audit",
        "ledger",
        "a ledger that does not hold is a bug: keep everything, tell the developers",
    ),
)


def look(data: Path | None) -> list[Finding]:
    """Every check; LANDLINE_ variables or .env say where the stores are, else the run of a data folder."""
    if data is not None:
        try:
            os.environ.update(environment_of(data))
        except (OSError, ValueError, KeyError) as error:
            remedy = "is it the DATA of a `make run` on this machine, and yours?"
            return [_wrong(f"run in {data}", error, remedy)]
    settings = Settings()
    found = asyncio.run(_stores(settings))
    return [*found, *(_book(*book) for book in BOOKS)]


def environment_of(data: Path) -> dict[str, str]:
    """The LANDLINE_ variables of the run's own work process, whose number the data folder tells."""
    pid = int(json.loads((data / "run" / "work.json").read_text())["pid"])
    words = Path(f"/proc/{pid}/environ").read_text().split("\0")
    pairs = (word.partition("=") for word in words if word.startswith("LANDLINE_"))
    return {name: value for name, _, value in pairs}


async def _stores(settings: Settings) -> list[Finding]:
    found = [await _postgres(settings, role) for role in ROLES]
    try:
        redis = await connect(settings)
    except Exception as error:
        return [*found, _wrong("redis", error, "is it running, and LANDLINE_REDIS_URL right?")]
    try:
        return [*found, *await _redis(redis)]
    finally:
        await redis.aclose()


async def _postgres(settings: Settings, role: str) -> Finding:
    db = Database(settings, role, pool_size=2)
    try:
        await asyncio.wait_for(db.ping(), PATIENCE_S)
    except Exception as error:
        remedy = f"is it running, LANDLINE_PG_URL right, and LANDLINE_PG_PASSWORD_{role.upper()}?"
        return _wrong(f"postgres as {role}", error, remedy)
    finally:
        await db.close()
    return Finding("ok", f"postgres as {role}", "answers", "")


async def _redis(redis: AnyRedis) -> list[Finding]:
    checks: list[Callable[[AnyRedis], Awaitable[list[Finding]]]] = [_durable, _dead]
    try:
        await asyncio.wait_for(redis.ping(), PATIENCE_S)
        return [Finding("ok", "redis", "answers", ""), *[f for check in checks for f in await check(redis)]]
    except Exception as error:
        return [_wrong("redis", error, "is it running, and LANDLINE_REDIS_URL right?")]


async def _durable(redis: AnyRedis) -> list[Finding]:
    gaps = await durability_gaps(redis)
    if not gaps:
        return [Finding("ok", "durability", "every write is on disk before it is acknowledged", "")]
    return [Finding("wrong", "durability", gap, "set it in redis.conf") for gap in gaps]


async def _dead(redis: AnyRedis) -> list[Finding]:
    """The oldest dead letter of each grave, with its reason."""
    found = []
    for (stream, group), count in (await dead_waiting(redis, READERS)).items():
        (oldest,) = await list_dead(redis, stream, group, limit=1)
        said = f"{count}; the oldest, {oldest['entry_id']}: {oldest['reason']}"[:200]
        remedy = "mend the cause, then replay (docs/runbooks)"
        found.append(Finding("wrong", f"dead letters of {group} in {stream}", said, remedy))
    return found or [Finding("ok", "dead letters", "none", "")]


def _book(service: str, command: str, check: str, remedy: str) -> Finding:
    """A service's own audit, as its own process: this program knows no service from inside."""
    program = shutil.which(service) or shutil.which(service, path=str(Path(sys.executable).parent))
    if program is None:
        return Finding(
            "note", check, f"{service} is not installed here", f"run {service} {command} where it is"
        )
    try:
        done = subprocess.run(
            [program, command], capture_output=True, text=True, timeout=BOOKS_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding("wrong", check, f"{service} {command} took more than {BOOKS_S} s", "run it by hand")
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    said = lines[-1] if lines else done.stderr.strip()[-200:]
    return Finding("wrong" if done.returncode else "ok", check, said, remedy if done.returncode else "")


def _wrong(check: str, error: Exception, remedy: str) -> Finding:
    said = f"{type(error).__name__}: {error}".strip(": ")
    return Finding("wrong", check, " ".join(said.split())[:200], remedy)
