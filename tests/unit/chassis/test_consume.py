"""What watches a process that only works: its page, and the question a container's health check asks."""

from __future__ import annotations

import asyncio
import os
import signal

import httpx
import pytest
from landline.chassis import consume, healthcheck
from landline.chassis.service import Service
from landline.chassis.settings import Settings
from landline.chassis.stream_metrics import NOT_READY

from tests.support.stack import free_port


async def test_a_working_process_tells_its_state_and_stops_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a page nobody could see lag or dead letters of a process that only consumes."""
    port = free_port()
    settings = Settings(consume_port=port, host="127.0.0.1", _env_file=None)
    monkeypatch.setenv("LANDLINE_CONSUME_PORT", str(port))

    async def work(_settings: Settings, stop: asyncio.Event) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as page:
            while not await _answers(page):
                await asyncio.sleep(0.01)
            NOT_READY.labels("tests").set(1)
            waiting = await page.get("/readyz")
            assert (waiting.status_code, await _check()) == (503, 1)
            assert waiting.json()["components"]["consumer tests"] == "waits for a store"
            NOT_READY.labels("tests").set(0)
            assert await _check() == 0
            assert "landline_stream_consumer_not_ready" in (await page.get("/metrics")).text
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()

    service = Service("tests", "tests", lambda _settings: pytest.fail("no app is asked for"), work)
    await asyncio.wait_for(consume._until_signal(settings, service), 10)
    assert await _check() == 1, "nobody answers any more"


async def _answers(page: httpx.AsyncClient) -> bool:
    try:
        return (await page.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False


async def _check() -> int:
    return await asyncio.to_thread(healthcheck.main)
