"""Provisioning's part of a setup: single writes of the resource kit in the caller's transaction."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from landline.chassis.problems import FieldError, InvalidInput, Problem, field_errors
from landline.chassis.resources import Actor, Registry, Resource, Row, create, update
from landline.chassis.resources.wire import create_schema, to_wire
from landline.kernel.clock import utc
from landline.kernel.ids import uuid7
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.setups.billing import SetupBilling
from provisioning.setups.resource import TABLE, ClientSetupFields

Made = tuple[Row, Row]


@dataclass
class Setup:
    """Writes one setup. `said` is the request's JSON, which `asked` was validated from."""

    tx: AsyncConnection
    registry: Registry
    actor: Actor
    asked: ClientSetupFields
    said: dict[str, Any]
    billing: SetupBilling
    errors: list[FieldError] = field(default_factory=list)
    shown: dict[str, Any] = field(default_factory=dict)

    async def write(self) -> Row:
        """Everything, and the setup's own row. InvalidInput names all that cannot be; then undo `tx`."""
        client = await self._client()
        devices = await self._list("devices", client)
        await self._list("authorized_sources", client)
        ddis = await self._ddis(client, {row["name"]: row["id"] for row in devices})
        await self._check_money(client)
        if not self.errors:
            await self._show_number(client, ddis)
        if self.errors:
            raise InvalidInput(self.errors, code="setup_refused")
        return await self._keep(client)

    async def _client(self) -> Row:
        body = dict(self.said["client"])
        if body.get("outgoing_ddi_id") is not None:
            self.errors.append(FieldError("client.outgoing_ddi_id", "not_editable", "say outgoing_number"))
        brand_id = self.said.get("brand_id")
        made = await self._part("client", self._create("clients", {**body, "brand_id": brand_id}))
        if made is None:  # without it nothing else can be tried
            raise InvalidInput(self.errors, code="setup_refused")
        self.shown["client"] = self._wire("clients", made)
        return made[0]

    async def _check_money(self, client: Row) -> None:
        """What billing would refuse is refused before anything is made."""
        asked = self.asked
        given = {"rating_plan_id": asked.rating_plan_id, "opening_balance": asked.opening_balance}
        wanted = [name for name, value in given.items() if value is not None]
        if client["billing_method"] == "none":
            message = "the client is not billed"
            self.errors += [FieldError(name, "not_billed", message) for name in wanted]
        elif asked.rating_plan_id is not None:
            brand_id, currency = client["brand_id"], client["currency"]
            self.errors += await self.billing.plan_errors(asked.rating_plan_id, brand_id, currency)

    async def _list(self, name: str, client: Row) -> list[Row]:
        resource = name.replace("_", "-")
        rows = []
        self.shown[name] = []
        for n, said in enumerate(self.said.get(name, [])):
            body = {**said, "client_id": str(client["id"]), "brand_id": str(client["brand_id"])}
            made = await self._part(f"{name}.{n}", self._create(resource, body))
            if made is not None:
                rows.append(made[0])
                self.shown[name].append(self._wire(resource, made))
        return rows

    async def _ddis(self, client: Row, devices: dict[str, UUID]) -> list[Row]:
        rows, self.shown["ddis"] = [], []
        for n, said in enumerate(self.said.get("ddis", [])):
            made = await self._part(f"ddis.{n}", self._ddi(client, devices, said))
            if made is not None:
                rows.append(made[0])
                self.shown["ddis"].append(self._wire("ddis", made))
        return rows

    async def _ddi(self, client: Row, devices: dict[str, UUID], said: dict[str, Any]) -> Made:
        body = {k: v for k, v in said.items() if k != "device"}
        refused = [k for k in ("client_id", "device_id", "call_filter_id") if body.get(k) is not None]
        errors = [
            FieldError(k, "not_editable", "the client is being made: say device by name") for k in refused
        ]
        if said.get("device") is not None and said["device"] not in devices:
            errors.append(FieldError("device", "not_found", "no such device in this setup"))
        if errors:
            raise InvalidInput(errors)
        if said.get("device") is not None:
            body = {"target": "device", **body, "device_id": str(devices[said["device"]])}
        body["client_id"] = str(client["id"])
        found = await self._of_pool(client, said["number"])
        if found is None:
            return await self._create("ddis", {**body, "brand_id": str(client["brand_id"])})
        return await update(self.tx, self.registry, self.registry.named("ddis"), self.actor, found, body)

    async def _of_pool(self, client: Row, number: str) -> UUID | None:
        """The brand's own number, if it has it. One that is another client's is refused as taken."""
        table = self.registry.named("ddis").table
        own = table.c.brand_id == client["brand_id"]
        found = (await self.tx.execute(select(table).where(own, table.c.number == number))).mappings().first()
        if found is None:
            return None
        if found["client_id"] is not None:
            raise InvalidInput([FieldError("number", "taken", "another client has it: unlink it first")])
        return UUID(str(found["id"]))

    async def _show_number(self, client: Row, ddis: list[Row]) -> None:
        wanted = self.asked.outgoing_number
        found = [ddi for ddi in ddis if wanted in (None, ddi["number"])]
        if not found:
            if wanted is not None:
                self.errors.append(FieldError("outgoing_number", "not_found", "not one of ddis"))
            return
        patch = {"outgoing_ddi_id": str(found[0]["id"])}
        clients, client_id = self.registry.named("clients"), client["id"]
        writing = update(self.tx, self.registry, clients, self.actor, client_id, patch)
        made = await self._part("outgoing_number", writing)
        if made is not None:
            self.shown["client"] = self._wire("clients", made)

    async def _create(self, name: str, body: dict[str, Any]) -> Made:
        resource = self.registry.named(name)
        try:
            given = create_schema(resource).model_validate(body)
        except ValidationError as error:
            raise InvalidInput(field_errors(error.errors())) from None
        return await create(self.tx, self.registry, resource, self.actor, given)

    async def _part(self, path: str, writing: Awaitable[Made]) -> Made | None:
        """One write in its own savepoint, so that what else is wrong is found too."""
        savepoint = await self.tx.begin_nested()
        try:
            made = await writing
        except Problem as problem:
            await savepoint.rollback()
            if problem.status == 403 and not problem.errors:
                raise
            errors = problem.errors or [FieldError("", problem.code, problem.detail)]
            self.errors += [FieldError(f"{path}.{e.field}".rstrip("."), e.code, e.message) for e in errors]
            return None
        await savepoint.commit()
        return made

    def _wire(self, name: str, made: Made) -> Row:
        row, reveal = made
        resource: Resource = self.registry.named(name)
        return to_wire(resource, row, self.actor.principal) | reveal

    async def _keep(self, client: Row) -> Row:
        """The setup's row: what billing still has to do, committed with the client or not at all."""
        now, asked = utc(self.actor.now_ms), self.asked
        has_part = asked.rating_plan_id is not None or asked.opening_balance is not None
        row = {
            "id": uuid7(self.actor.now_ms),
            "version": 1,
            "created_at": now,
            "updated_at": now,
            "brand_id": client["brand_id"],
            "client_id": client["id"],
            "state": "pending" if has_part else "done",
            "rating_plan_id": asked.rating_plan_id,
            "activation_time": asked.activation_time or now,
            "opening_balance_micros": asked.opening_balance,
            "attempts": 0,
            "next_try_at": now,
        }
        kept = await self.tx.execute(TABLE.insert().values(row).returning(TABLE))
        return dict(kept.mappings().one())
