"""Commands to edges at their control address (JSON-RPC 2.0, contracts section 4). What can't be told now is
not an error: every edge forgets a ban, a hash or a list by itself within minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import httpx
import structlog

from call_control.domain.facts import EdgeFacts

TIMEOUT = httpx.Timeout(2.0, connect=1.0)
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
