"""call-control's side of `within_available`: money on live calls is not given away (domain.md section 8)."""

from __future__ import annotations

import contextlib
from typing import Final

import httpx
from landline.chassis.problems import Conflict, Unavailable
from landline.chassis.settings import Settings

PATH: Final = "/api/call-control/v1/internal/reservations"
_TIMEOUT: Final = httpx.Timeout(3.0)


class Reservations:
    """Asked once per operation, off every hot path."""

    def __init__(self, settings: Settings) -> None:
        self._base_url = settings.internal_url
        self._key = settings.internal_key.get_secret_value()

    def _client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self._key}"}
        return httpx.AsyncClient(base_url=self._base_url, headers=headers, timeout=_TIMEOUT, trust_env=False)

    async def reserve(self, client_id: str, operation_id: str, amount_micros: int) -> None:
        """Hold it for a minute. Conflict `not_available`; Unavailable when call-control can't be asked."""
        body = {"client_id": client_id, "operation_id": operation_id, "amount_micros": amount_micros}
        try:
            async with self._client() as http:
                answer = await http.post(PATH, json=body)
        except httpx.HTTPError as error:
            raise Unavailable(_AWAY, code="call_control_away") from error
        if answer.status_code == 409:
            raise Conflict("not_available", str(answer.json()["detail"]))
        if answer.status_code != 201:
            raise Unavailable(_AWAY, code="call_control_away")

    async def release(self, client_id: str, operation_id: str) -> None:
        """Give it back at once; without it, it ends by itself."""
        with contextlib.suppress(httpx.HTTPError):
            async with self._client() as http:
                await http.delete(f"{PATH}/{client_id}/{operation_id}")


_AWAY: Final = "what is on live calls can't be asked of call-control at the moment"
