"""The `work` process: all consumers, keepers and jobs of all services, and the mail catcher.

python -m landline.chassis.embedded.work
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket

import uvloop

from landline.chassis import logging
from landline.chassis.embedded import worker_card
from landline.chassis.embedded.mail_catcher import start_mail_catcher
from landline.chassis.embedded.mailbox import Mailbox
from landline.chassis.embedded.services import load_services
from landline.chassis.service import Service
from landline.chassis.settings import Settings

GRACE_S = 8.0

log = logging.get_logger(__name__)


class EndedByItself(Exception):
    """A service's background work returned although nobody asked it to: the process is not whole any more."""


async def _keep_working(service: Service, settings: Settings, stop: asyncio.Event) -> None:
    await service.work(settings, stop)
    if not stop.is_set():
        raise EndedByItself(f"the background work of {service.name} ended")


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()


async def work(settings: Settings, services: list[Service], stop: asyncio.Event) -> None:
    """Run every service's background work until `stop`; raise if one of them ends before."""
    tasks = [asyncio.create_task(_keep_working(s, settings, stop), name=s.name) for s in services]
    tasks.append(asyncio.create_task(_until(stop), name="stop"))
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    _, slow = await asyncio.wait(tasks, timeout=GRACE_S)
    for task in slow:
        log.warning("background work did not end in time", service=task.get_name())
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def run(settings: Settings) -> None:
    """The whole process."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if fd := os.environ.get("LANDLINE_LISTEN_FD"):  # the supervisor's, for mails
        await start_mail_catcher(socket.socket(fileno=int(fd)), Mailbox(settings.data / "mails"))
    metrics = await worker_card.serve_metrics()
    services = load_services()
    worker_card.leave(settings.data, metrics.sockets[0].getsockname()[1])
    log.info("working", services=[service.name for service in services])
    try:
        await work(settings, services, stop)
    finally:
        worker_card.take_back(settings.data)


def main() -> None:
    """Work until SIGTERM."""
    settings = Settings()
    logging.configure(settings.log_level)
    uvloop.run(run(settings))


if __name__ == "__main__":
    main()
