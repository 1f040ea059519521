"""How `<service> consume` runs: the background work until a signal, with a small page beside it.

The work itself has no address. Where `LANDLINE_CONSUME_PORT` is set it gets one, for those who watch it:
`/healthz`, `/readyz` (503 while a consumer waits for a store) and `/metrics`.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from landline.chassis import health, metrics
from landline.chassis.service import Service
from landline.chassis.settings import Settings
from landline.chassis.stream_metrics import NOT_READY


def consume(settings: Settings, service: Service) -> None:
    """Work until SIGINT or SIGTERM. Blocks; starts an event loop of its own."""
    asyncio.run(_until_signal(settings, service))


async def _until_signal(settings: Settings, service: Service) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if not settings.consume_port:
        await service.work(settings, stop)
        return
    page = _Page(uvicorn.Config(watched(), settings.host, settings.consume_port, log_config=None))
    async with asyncio.TaskGroup() as group:
        group.create_task(page.serve())
        await service.work(settings, stop)
        page.should_exit = True


def watched() -> Starlette:
    """The page of a process that only works."""
    app = Starlette(
        routes=[
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
            Route("/metrics", metrics.metrics_page),
        ]
    )
    app.state.readiness = _readiness
    return app


async def _readiness() -> dict[str, str | None]:
    waiting = {
        sample.labels["group"]: sample.value for each in NOT_READY.collect() for sample in each.samples
    }
    return {f"consumer {group}": "waits for a store" if value else None for group, value in waiting.items()}


class _Page(uvicorn.Server):
    """Leaves the signals to the work, which ends first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing to capture."""
        yield
