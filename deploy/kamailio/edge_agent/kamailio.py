"""Kamailio's own JSON-RPC commands, over HTTP on its loopback port."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx


class KamailioAway(ConnectionError):
    """Kamailio does not answer."""


class CommandRefused(ValueError):
    """Kamailio answered with an error."""


class Dialog(NamedTuple):
    """Where Kamailio finds a dialog."""

    h_entry: int
    h_id: int


class Live(NamedTuple):
    """A call of the `live` table. `answered_at`: epoch seconds as text, `0` before."""

    call_id: str
    state: str
    answered_at: str
    dialog: Dialog
    ticket: str


class Kamailio:
    """Commands as functions. All raise KamailioAway or CommandRefused."""

    def __init__(self, port: int) -> None:
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5)

    async def aclose(self) -> None:
        """No more commands."""
        await self._http.aclose()

    async def command(self, method: str, *params: Any) -> Any:
        """The result of a command."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        try:
            answer = (await self._http.post("/RPC", json=body)).json()
        except (httpx.HTTPError, ValueError) as error:
            raise KamailioAway(repr(error)) from None
        if "error" in answer:
            raise CommandRefused(str(answer["error"].get("message", answer["error"])))
        return answer.get("result")

    async def table(self, name: str) -> dict[str, str]:
        """All items of an htable."""
        found: dict[str, str] = {}
        for slot in await self.command("htable.dump", name) or []:
            items = slot["slot"] if isinstance(slot, dict) else slot
            for item in items:
                found[str(item["name"])] = str(item["value"])
        return found

    async def boot_id(self) -> str:
        """Changes whenever Kamailio starts."""
        found = await self.command("htable.get", "edge", "boot_id")
        return str(found["item"]["value"])

    async def live(self) -> list[Live]:
        """The calls of the `live` table."""
        return [_live(call_id, text) for call_id, text in (await self.table("live")).items()]

    async def dialogs(self) -> set[Dialog]:
        """The dialogs that there are."""
        listed = await self.command("dlg.briefing") or []
        return {Dialog(int(each["h_entry"]), int(each["h_id"])) for each in listed}

    async def find(self, call_id: str) -> Live | None:
        """One live call."""
        try:
            found = await self.command("htable.get", "live", call_id)
        except CommandRefused:
            return None
        return _live(call_id, str(found["item"]["value"]))

    async def hang_up(self, dialog: Dialog) -> None:
        """BYE to both sides."""
        await self.command("dlg.end_dlg", dialog.h_entry, dialog.h_id)

    async def extend(self, dialog: Dialog, remaining_s: int) -> None:
        """The call may last so much longer from now on."""
        try:
            path = f"/extend/{dialog.h_entry}/{dialog.h_id}/{remaining_s}"
            answer = await self._http.post(path, content=b"")
        except httpx.HTTPError as error:
            raise KamailioAway(repr(error)) from None
        if answer.status_code != 200:
            raise CommandRefused(answer.text.strip())


def _live(call_id: str, text: str) -> Live:
    state, answered_at, entry, number, ticket = (*text.split(" "), "")[:5]
    return Live(call_id, state, answered_at, Dialog(int(entry), int(number)), ticket)
