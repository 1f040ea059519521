"""`python -m edge_agent prepare | run`."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from edge_agent.run import run
from edge_agent.settings import BadSettings, Settings
from edge_agent.state import prepare


def main() -> int:
    """Exit code 2 and a sentence when a setting is wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    command = sys.argv[1] if len(sys.argv) == 2 else ""
    if command not in ("prepare", "run"):
        print("usage: python -m edge_agent prepare | run", file=sys.stderr)
        return 2
    try:
        settings = Settings.from_environment()
    except BadSettings as error:
        print(f"edge agent: {error}", file=sys.stderr)
        return 2
    prepare(settings)
    if command == "run":
        asyncio.run(_until_signal(settings))
    return 0


async def _until_signal(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(settings, stop)


sys.exit(main())
