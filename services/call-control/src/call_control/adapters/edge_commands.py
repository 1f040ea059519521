"""Commands to edges at their control address (JSON-RPC 2.0, contracts section 4). What can't be told now is
not an error: heartbeats tell of hang-ups too, and every edge forgets a ban, a hash or a list by itself within
minutes. So nobody waits for an edge: commands travel beside the work that made them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Final

import httpx
import structlog
from landline.chassis.batch import AutoBatch

from call_control.adapters import read_model_keys as keys
from call_control.adapters.fact_parsing import edge_facts
from call_control.adapters.placement import Change
from call_control.adapters.read_model import read_fields
from call_control.domain.facts import EdgeFacts
from call_control.domain.live_call import LiveCall

TIMEOUT = httpx.Timeout(2.0, connect=1.0)
MOST_AT_ONCE: Final = 50
"""Devices of one batch that are told of; a mass change waits for the edges' own minute."""
FETCHED: Final = frozenset({"ddi_provider_address", "ddi_provider_registration", "emergency_number"})
"""What edges fetch as a whole: peers, accounts at providers, emergency numbers."""
log = structlog.get_logger(__name__)


async def tell_all(edges: Iterable[EdgeFacts], method: str, *params: str | int) -> int:
    """Tell every enabled edge that has a control address; how many have heard it."""
    urls = [edge.control_url for edge in edges if edge.enabled and edge.control_url]
    async with httpx.AsyncClient(timeout=TIMEOUT) as http:
        return sum(await asyncio.gather(*(_tell(http, url, method, params) for url in urls)))


async def _tell(http: httpx.AsyncClient, url: str, method: str, params: tuple[str | int, ...]) -> bool:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    try:
        answer = await http.post(url, json=body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.warning("edge not told", url=url, method=method, error=repr(error)[:200])
        return False
    return answer.status_code == 200


class EdgeCommands:
    """Commands of the background work; the edges' addresses are read each time, for commands are rare."""

    def __init__(self, batch: AutoBatch) -> None:
        self._batch = batch
        self._running: set[asyncio.Task[None]] = set()

    async def hang_up(self, calls: Sequence[LiveCall]) -> None:
        """These calls are past their cut: the edge of each ends it now, not at its next heartbeat."""
        self._beside(self._of_calls("landline.hang_up", [(call, call.cut_cause or "") for call in calls]))

    async def extend(self, bounds: Sequence[tuple[LiveCall, int]]) -> None:
        """These calls can pay for longer than their edge's timer: it is set to the new max_duration_s."""
        self._beside(self._of_calls("landline.extend", bounds))

    async def tell_changes(self, changes: Sequence[Change]) -> None:
        """Changed devices lose the hash that edges keep for a minute; changed lists are fetched at once."""
        devices = [c for c in changes if c.entity == "device" and c.version > 1 and c.data is not None]
        if devices:
            self._beside(self._drop_credentials(devices[:MOST_AT_ONCE]))
        if any(change.entity in FETCHED for change in changes):
            self._beside(self._to_all("landline.reload"))

    async def _of_calls(self, method: str, told: Sequence[tuple[LiveCall, str | int]]) -> None:
        """Each call's own edge is told of it."""
        edges = {edge.id: edge for edge in await self._edges()}
        async with asyncio.TaskGroup() as group:
            for call, what in told:
                edge = edges.get(call.facts.edge_id or "")
                if edge is not None:
                    group.create_task(tell_all([edge], method, call.call_id, what))

    async def _drop_credentials(self, devices: Sequence[Change]) -> None:
        brands = read_fields(await self._batch.execute("HGETALL", keys.BRANDS))
        edges = await self._edges()
        for device in devices:
            domain = brands.get(device.brand_id or "", {}).get("sip_domain")
            if domain is not None and device.data is not None:
                await tell_all(edges, "landline.drop_credentials", device.data["name"], domain)

    async def _to_all(self, method: str, *params: str) -> None:
        await tell_all(await self._edges(), method, *params)

    async def _edges(self) -> list[EdgeFacts]:
        rows: Any = await self._batch.execute("HGETALL", keys.EDGES)
        return [edge_facts(edge_id, row) for edge_id, row in read_fields(rows).items()]

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._safely(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _safely(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # heartbeat, expiry or the next refresh does it
            log.warning("edges not told", error=repr(error)[:300])
