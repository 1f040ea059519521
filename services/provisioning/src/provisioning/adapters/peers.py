"""What only the other services know, asked by REST off the hot path: money that moved, calls that live.

Unknown never means allowed: when a service can't be asked, the write that depends on it is refused.
"""

from __future__ import annotations

from typing import Any

import httpx
from landline.chassis.problems import Unavailable
from landline.chassis.settings import Settings

TIMEOUT = httpx.Timeout(5.0, connect=2.0)


class Peers:
    """The internal interfaces of call-control and billing."""

    def __init__(self, settings: Settings) -> None:
        self._base_url = settings.public_url.rstrip("/")
        self._key = settings.internal_key.get_secret_value()

    async def money_moved(self, client_id: str) -> bool:
        """Whether a client's ledger has a posting. Raises Unavailable."""
        path = "/api/billing/v1/internal/reconcile"
        answer = await self.call("billing", "GET", path, params={"client_ids": client_id})
        return any(item["sequence"] > 0 for item in answer.json()["items"])

    async def live_calls(self, client_id: str) -> int:
        """How many calls a client has now. Raises Unavailable."""
        path = f"/api/call-control/v1/clients/{client_id}/usage"
        answer = await self.call("call-control", "GET", path, missing_is_fine=True)
        return 0 if answer.status_code == 404 else int(answer.json()["active_calls"])

    async def call(
        self, service: str, method: str, path: str, *, missing_is_fine: bool = False, **more: Any
    ) -> httpx.Response:
        """One request as a service that must succeed; Unavailable names who does not answer."""
        answer = await self.ask(service, method, path, **more)
        if answer.is_error and not (missing_is_fine and answer.status_code == 404):
            raise Unavailable(f"{service} answers {answer.status_code}", code="peer_away")
        return answer

    async def ask(self, service: str, method: str, path: str, **more: Any) -> httpx.Response:
        """One request as a service: its answer, also a refusal. Unavailable when there is none."""
        headers = {**more.pop("headers", {}), "Authorization": f"Bearer {self._key}"}
        try:
            async with httpx.AsyncClient(base_url=self._base_url, headers=headers, timeout=TIMEOUT) as http:
                answer = await http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise Unavailable(f"{service} does not answer, and has to be asked", code="peer_away") from error
        if answer.status_code >= 500:
            raise Unavailable(f"{service} answers {answer.status_code}", code="peer_away")
        return answer
