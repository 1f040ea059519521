"""What edges are told at once, at their control address, and what they are spared."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from call_control.adapters.edge_commands import MOST_AT_ONCE, EdgeCommands
from call_control.adapters.placement import Change
from call_control.adapters.read_model import ReadModel

from tests.support import configured as c
from tests.support.money_world import World
from tests.support.waiting import until


class Agent:
    """An edge's door: keeps what it was told, as (method, params)."""

    def __init__(self) -> None:
        self.heard: queue.Queue[tuple[str, list[Any]]] = queue.Queue()
        heard = self.heard

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                heard.put((asked["method"], asked["params"]))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args: Any) -> None:
                """Quietly."""

        self._server = HTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Nobody listens any more."""
        self._server.shutdown()
        self._server.server_close()

    async def so_far(self) -> list[tuple[str, list[Any]]]:
        """What was heard, oldest first."""
        return list(self.heard.queue)


@pytest.fixture
def agent() -> Iterator[Agent]:
    """One edge's agent."""
    found = Agent()
    yield found
    found.close()


async def commands_with(world: World, agent: Agent) -> EdgeCommands:
    """A platform with one edge that can be told."""
    await ReadModel(world.batch).apply([c.brand(), c.edge(control_url=agent.url)], 0)
    return EdgeCommands(world.batch)


async def test_a_changed_device_is_asked_for_anew_at_every_edge(world: World, agent: Agent) -> None:
    """The old password would be good for a minute more."""
    commands = await commands_with(world, agent)
    await commands.tell_changes([c.device(version=2)])
    await until(agent.so_far, equals=[("landline.drop_credentials", ["casa1", c.DOMAIN])])


async def test_what_no_edge_can_know_is_not_told(world: World, agent: Agent) -> None:
    """New devices have no hash anywhere; a mass change must not become a flood of requests."""
    commands = await commands_with(world, agent)
    await commands.tell_changes([c.device(), c.client(2)])
    await commands.tell_changes([c.device(version=2)] * (MOST_AT_ONCE + 30))
    told = [("landline.drop_credentials", ["casa1", c.DOMAIN])] * MOST_AT_ONCE
    await until(agent.so_far, equals=told)


async def test_changed_peers_are_fetched_at_once(world: World, agent: Agent) -> None:
    """A provider that was taken away may call for no minute more."""
    commands = await commands_with(world, agent)
    await commands.tell_changes([Change("ddi_provider_address", "a", 3, c.BRAND, None, None, "1-0")])
    await until(agent.so_far, equals=[("landline.reload", [])])


async def test_a_cut_call_ends_at_its_own_edge_without_waiting_for_a_heartbeat(
    world: World, agent: Agent
) -> None:
    """A heartbeat may be thirty seconds away: that much would be talked and not paid."""
    commands = await commands_with(world, agent)
    await world.post(1_000_000)
    call = await world.answered(edge_id=c.EDGE)
    await commands.hang_up([replace(call, cut_at_ms=1, cut_cause="no_credit")])
    await until(agent.so_far, equals=[("landline.hang_up", [call.call_id, "no_credit"])])


async def test_a_call_that_can_pay_for_longer_is_told_to_its_own_edge(world: World, agent: Agent) -> None:
    """Its timer would cut what has been paid for."""
    commands = await commands_with(world, agent)
    await world.post(1_000_000)
    call = await world.answered(edge_id=c.EDGE)
    await commands.extend([(call, 210)])
    await until(agent.so_far, equals=[("landline.extend", [call.call_id, 210])])


async def test_an_edge_that_is_away_stops_nobody(world: World, agent: Agent) -> None:
    """Its heartbeat will hear of it."""
    commands = await commands_with(world, agent)
    agent.close()
    await commands.tell_changes([c.device(version=2)])
    await commands.hang_up([])
    assert await agent.so_far() == []
