"""What the agent does all the time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import uvicorn

from edge_agent.accounts import Accounts
from edge_agent.call_control import CallControl, CallControlAway, Refused
from edge_agent.commands import Commands
from edge_agent.door import door
from edge_agent.files import Files
from edge_agent.heartbeat import Heartbeat
from edge_agent.kamailio import CommandRefused, Kamailio, KamailioAway
from edge_agent.owed import Owed
from edge_agent.settings import Settings
from edge_agent.state import instance_id

OWED_EVERY_S = 5.0
ACCOUNTS_EVERY_S = 15.0
RETRY_S = 2.0
log = logging.getLogger("edge_agent")


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Lists, files, owed calls and the door, until told to stop. Whoever is away is waited for."""
    kamailio, calls = Kamailio(settings.kamailio_port), CallControl(settings)
    commands = Commands(kamailio)
    instance = instance_id(settings)
    heartbeat = Heartbeat(instance, kamailio, calls, commands)
    accounts = Accounts(instance, settings.contact, kamailio, calls)
    files = Files(settings.state, kamailio, calls, settings.tls)
    owed = Owed(kamailio, calls)
    host, _, port = settings.agent.rpartition(":")
    app = door(commands, settings.control_allow, settings.media_timeout_s)
    server = _Server(uvicorn.Config(app, host=host, port=int(port), log_level="warning", access_log=False))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_every(settings.heartbeat_s, "heartbeat", heartbeat.beat, stop))
            group.create_task(_every(OWED_EVERY_S, "owed calls", owed.settle, stop))
            group.create_task(
                _every(settings.refresh_s, "files", files.refresh, stop, commands.reload_wanted)
            )
            every_s = min(ACCOUNTS_EVERY_S, settings.refresh_s)
            group.create_task(_every(every_s, "accounts", accounts.refresh, stop, commands.accounts_wanted))
            served = group.create_task(server.serve())
            await stop.wait()
            server.should_exit = True
            await served
    finally:
        await kamailio.aclose()
        await calls.aclose()


class _Server(uvicorn.Server):
    """Leaves the signals to us."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


async def _every(
    seconds: float,
    what: str,
    act: Callable[[], Awaitable[object]],
    stop: asyncio.Event,
    sooner: asyncio.Event | None = None,
) -> None:
    sooner = sooner or asyncio.Event()
    while not stop.is_set():
        pause_s = seconds
        try:
            await act()
        except (KamailioAway, CallControlAway, CommandRefused, Refused) as error:
            log.warning("%s: %s", what, error)
            pause_s = min(seconds, RETRY_S)
        except Exception:
            log.exception("%s", what)
        waits = [asyncio.create_task(event.wait()) for event in (stop, sooner)]
        await asyncio.wait(waits, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        sooner.clear()
