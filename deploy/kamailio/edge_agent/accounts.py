"""Accounts at DDI providers: call-control lends them, Kamailio's `uac` registers them.

Credentials are in Kamailio's memory only. What it has registered is read from it each time, so neither a new
agent nor a new Kamailio has to be told what the other one knew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from edge_agent.call_control import CallControl
from edge_agent.kamailio import CommandRefused, Kamailio

NONE: Final = "."
"""How `uac` is told that there is nothing."""
ONGOING, ONLINE = 2, 4
UNREGISTER_S: Final = 3.0
log = logging.getLogger("edge_agent.accounts")
Row = dict[str, Any]


class Accounts:
    """`refresh` is safe to repeat. `contact`: where providers reach this edge, host:port."""

    def __init__(self, instance_id: str, contact: str, kamailio: Kamailio, calls: CallControl) -> None:
        self._instance_id = instance_id
        self._contact = contact
        self._kamailio = kamailio
        self._calls = calls
        self._given: dict[str, Row] = {}
        self._states: dict[str, Row] = {}

    async def refresh(self) -> None:
        """Raises CallControlAway, Refused, KamailioAway, CommandRefused."""
        live = await self._live()
        told = await self._told(live)
        body = {"instance_id": self._instance_id, "held": told}
        lent = (await self._calls.post("/edges/provider-registrations", body))["registrations"]
        wanted = {str(each["id"]): each for each in lent}
        gone = [i for i, row in live.items() if i not in wanted or not self._fits(wanted[i], row)]
        await asyncio.gather(*(self._unregister(i, live[i]) for i in gone))
        for each_id, account in wanted.items():
            if each_id not in live or each_id in gone:
                await self._register(account)

    async def _live(self) -> dict[str, Row]:
        """What `uac` has, by the account's id."""
        return {str(row["l_username"]): row for row in await self._kamailio.command("uac.reg_dump") or []}

    def _fits(self, account: Row, row: Row) -> bool:
        """Whether what is registered is what is wanted. The registrar may have raised `expires` (423)."""
        given = self._given.get(str(account["id"]))
        if given is not None and given != account:
            return False
        return all(row[name] == value for name, value in _as_uac(account).items())

    async def _register(self, account: Row) -> None:
        row = _as_uac(account)
        how = "random" if account["contact_random"] else "named"
        value = f"{account['id']} {how} {account['username']}@{account['domain']}"
        await self._kamailio.command("htable.sets", "accounts", row["l_uuid"], value)
        names = ("l_uuid", "l_username", "l_domain", "r_username", "r_domain", "realm", "auth_username")
        texts = [{**row, "l_domain": self._contact.partition(":")[0]}[name] for name in names]
        proxy = account["auth_proxy"] or NONE
        numbers = [int(account["expires_s"]), 0, 0]
        await self._kamailio.command(
            "uac.reg_add", *texts, NONE, row["auth_ha1"], proxy, *numbers, self._contact, NONE
        )
        self._given[str(account["id"])] = account
        log.info("registering %s@%s", account["username"], account["domain"])

    async def _unregister(self, each_id: str, row: Row) -> None:
        """Expires 0, challenged or not; then nothing of it is left here, whatever the provider said."""
        uuid = str(row["l_uuid"])
        log.info("unregistering %s@%s", row["r_username"], row["r_domain"])
        self._given.pop(each_id, None)
        self._states.pop(each_id, None)
        try:
            await self._kamailio.command("uac.reg_unregister", "l_uuid", uuid)
            async with asyncio.timeout(UNREGISTER_S):
                while int((await self._live())[each_id]["flags"]) & ONGOING:
                    await asyncio.sleep(0.1)
        except (CommandRefused, TimeoutError, KeyError) as error:
            log.warning("%s@%s may still be registered: %r", row["r_username"], row["r_domain"], error)
        for command, params in (("uac.reg_remove", (uuid,)), ("htable.delete", ("accounts", uuid))):
            try:
                await self._kamailio.command(command, *params)
            except CommandRefused as error:
                log.warning("%s: %s", command, error)

    async def _told(self, live: Mapping[str, Row]) -> list[Row]:
        """How each goes, and since when."""
        heard = await self._kamailio.table("heard")
        asked = await self._kamailio.table("asked")
        found = []
        for each_id, row in live.items():
            name = f"{row['r_username']}@{row['r_domain']}"
            now = state_of(row, heard.get(name, ""), asked.get(name, ""))
            before = self._states.get(each_id, {})
            same = (before.get("state"), before.get("sip_code")) == (now["state"], now.get("sip_code"))
            since = before["since"] if same else now["since"]
            self._states[each_id] = {**now, "since": since}
            found.append({"id": each_id, **self._states[each_id]})
        return found


def state_of(row: Row, heard: str, asked: str) -> Row:
    """State, code and moment of an account: its row in `uac`, the last reply (`code moment source`), and when
    a REGISTER left last (`moment`)."""
    code, _, rest = heard.partition(" ")
    heard_at, asked_at = float(rest.partition(" ")[0] or 0), float(asked or 0)
    answered = bool(code) and heard_at >= asked_at
    flags = int(row["flags"])
    if flags & ONLINE and int(row["diff_expires"]) > 0:
        return {"state": "registered", "sip_code": 200, "since": heard_at, "expires_at": row["timer_expires"]}
    if flags & ONGOING or not asked_at:
        # Being renewed, it is as good as it was until somebody says otherwise.
        good = code == "200"
        return {"state": "registered" if good else "registering", "since": heard_at or asked_at}
    return {"state": "failed", "sip_code": int(code) if answered else 408, "since": asked_at}


def _as_uac(account: Row) -> Row:
    """What stays as it was given, under the names of `uac`."""
    row = {name: str(account[name]) for name in ("realm", "auth_username", "auth_ha1")}
    row |= {"l_uuid": str(account["contact_user"]), "l_username": str(account["id"])}
    row |= {"r_username": str(account["username"]), "r_domain": str(account["domain"])}
    return row
