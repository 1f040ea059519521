"""call-control's edge API, as far as the agent uses it (contracts section 4)."""

from __future__ import annotations

from typing import Any

import httpx

from edge_agent.settings import Settings


class CallControlAway(ConnectionError):
    """Call-control does not answer, or not now: ask again."""


class Refused(ValueError):
    """Call-control will not take this, however often it is sent."""


class CallControl:
    """Requests as functions. All raise CallControlAway or Refused."""

    def __init__(self, settings: Settings) -> None:
        headers = {"Authorization": f"Bearer {settings.key}"}
        self._http = httpx.AsyncClient(base_url=settings.call_control, headers=headers, timeout=10)

    async def aclose(self) -> None:
        """No more requests."""
        await self._http.aclose()

    async def get(self, path: str) -> Any:
        """The JSON of a GET."""
        return (await self._ask("GET", path, None)).json()

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON of a POST; None for 204."""
        answer = await self._ask("POST", path, body)
        return answer.json() if answer.status_code != 204 else None

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise CallControlAway(repr(error)) from None
        if answer.status_code in (401, 429) or answer.status_code >= 500:
            raise CallControlAway(f"{method} {path}: {answer.status_code}")
        if answer.status_code >= 400:
            raise Refused(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer
