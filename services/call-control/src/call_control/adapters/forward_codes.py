"""Forwards that devices set by service codes: written by provisioning, which owns them. Off the hot path."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import structlog

FORWARD_CODES = "/api/provisioning/v1/internal/forward-codes"
TIMEOUT = httpx.Timeout(1.5, connect=0.5)
"""A caller waits for it, and the edge for two seconds only."""
log = structlog.get_logger(__name__)


class ForwardCodes:
    """See `app.serve_code.SetsForwards`."""

    def __init__(self, base_url: str, internal_key: Callable[[], str]) -> None:
        self._base_url = base_url.rstrip("/")
        self._internal_key = internal_key

    async def set_forward(
        self, device_id: str, kind: str, target: str | None, number: str | None
    ) -> str | None:
        """set | cleared | unchanged; None when it was refused or can't be done now."""
        body = {"device_id": device_id, "kind": kind, "target": target, "number": number}
        headers = {"Authorization": f"Bearer {self._internal_key()}", "X-Reason": "service code"}
        try:
            async with httpx.AsyncClient(base_url=self._base_url, headers=headers, timeout=TIMEOUT) as client:
                reply = await client.post(FORWARD_CODES, json=body)
            reply.raise_for_status()
        except httpx.HTTPError as error:
            log.warning("forward not set by code", device_id=device_id, kind=kind, error=repr(error)[:200])
            return None
        return str(reply.json()["done"])
