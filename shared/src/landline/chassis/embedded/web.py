"""The `web` process: the ASGI apps of all services on the supervisor's socket.

python -m landline.chassis.embedded.web     socket: file descriptor LANDLINE_LISTEN_FD
"""

from __future__ import annotations

import os
import socket

import uvicorn

from landline.chassis import logging
from landline.chassis.embedded.dispatcher import Dispatcher
from landline.chassis.embedded.own_pages import build_own_app
from landline.chassis.embedded.services import load_services
from landline.chassis.openapi_served import with_document_apart
from landline.chassis.settings import Settings

GRACE_S = 5  # event streams never end by themselves


def build(settings: Settings) -> Dispatcher:
    """The one ASGI app of this process."""
    services = load_services()
    apps = {each.name: with_document_apart(each.app(settings), each.name) for each in services}
    return Dispatcher(apps, build_own_app(settings, apps))


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings()
    logging.configure(settings.log_level)
    listener = socket.socket(fileno=int(os.environ["LANDLINE_LISTEN_FD"]))
    config = uvicorn.Config(
        build(settings),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=2048,
        timeout_graceful_shutdown=GRACE_S,
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
