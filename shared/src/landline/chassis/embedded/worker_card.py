"""The card the `work` process leaves in DATA/run/work.json: who it is, where its metrics are."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest


def _path(data: Path) -> Path:
    return data / "run" / "work.json"


def leave(data: Path, metrics_port: int) -> None:
    """Say that this process works now."""
    temporary = _path(data).with_suffix(".new")
    temporary.write_text(json.dumps({"pid": os.getpid(), "metrics_port": metrics_port}))
    temporary.replace(_path(data))


def take_back(data: Path) -> None:
    """Say that this process no longer works."""
    _path(data).unlink(missing_ok=True)


def _read(data: Path) -> dict[str, Any] | None:
    try:
        card: dict[str, Any] = json.loads(_path(data).read_text())
        os.kill(int(card["pid"]), 0)
    except (OSError, ValueError, KeyError):
        return None
    return card


def missing(data: Path) -> str | None:
    """None while the process that left the card is there."""
    return None if _read(data) else "the work process is not running yet"


async def fetch_metrics(data: Path) -> bytes | None:
    """The work process's metrics page, or None."""
    if (card := _read(data)) is None:
        return None
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", card["metrics_port"])
            page = await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        return None
    return page


async def serve_metrics() -> asyncio.Server:
    """Give the metrics text to whoever connects on a free port of 127.0.0.1 (no HTTP: `web` adds that)."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(generate_latest())
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)
