"""`admins/{id}/grants`: what a restricted admin may do, resource by resource.

The same thing as the admin's field `rights`, as rows that people tick: one grant is written by PUT, taken
back to read-only by DELETE, all at once by POST. Each goes through the rules of `admins` (nobody gives more
than it has, nobody changes its own), ends the admin's sessions and is in the audit log.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from landline.chassis.auth import Principal
from landline.chassis.idempotency import WRITE_HEADERS, Answer
from landline.chassis.postgres import Scope
from landline.chassis.problems import Conflict, FieldError, InvalidInput, responses
from landline.chassis.resources import (
    Actor,
    ApiModel,
    Registry,
    Row,
    actor_of,
    allowed,
    database,
    fetch,
    post_once,
    update,
)
from landline.contracts.rights import KNOWN, RESOURCES
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.accounts.admins import ADMINS

DEFAULT = "r"


class GrantInput(ApiModel):
    """What a restricted admin may do on one kind of resource. What is left out is false."""

    create: bool = False
    read: bool = False
    update: bool = False
    delete: bool = False

    def letters(self) -> str:
        """As letters of `crud`."""
        return "".join(word[0] for word in ("create", "read", "update", "delete") if getattr(self, word))


class Grant(BaseModel):
    """What an admin may do on one kind of resource. `given`: said for this one, not by default."""

    resource: str = Field(examples=["clients"])
    service: str = Field(examples=["provisioning"])
    create: bool
    read: bool
    update: bool
    delete: bool
    given: bool


class Grants(BaseModel):
    """One line per kind of resource."""

    admin_id: UUID
    restricted: bool
    items: list[Grant]
    next_cursor: None = None


class AllGrants(ApiModel):
    """The same grant on every kind of resource; the admin becomes a restricted one."""

    grant: Literal["all", "read_only", "none"]


_ALL = {"all": "crud", "read_only": "r", "none": ""}


def grants_router(registry: Registry) -> APIRouter:
    """List, set one, take one back, set all."""
    router = APIRouter(prefix="/admins/{id}/grants", tags=["admins"])
    errors = responses(401, 403, 404, 409, 422)

    @router.get("", name="list grants", response_model=Grants, responses=responses(401, 403, 404, 422))
    async def list_grants(
        id: UUID, request: Request, caller: Annotated[Principal, allowed(ADMINS, "r")]
    ) -> dict[str, Any]:
        """What an admin may do. One that is not restricted may do all that its level may."""
        async with database(request).transaction(Scope.of(caller)) as tx:
            return shown(await fetch(tx, ADMINS, caller, id))

    @router.put("/{resource}", name="set grant", response_model=Grants, responses=errors)
    async def set_grant(
        id: UUID,
        resource: str,
        body: GrantInput,
        request: Request,
        caller: Annotated[Principal, allowed(ADMINS, "u")],
    ) -> dict[str, Any]:
        """Say what a restricted admin may do on one kind of resource."""
        return await _change(request, caller, id, {_known(resource): body.letters()})

    @router.delete("/{resource}", name="take grant back", response_model=Grants, responses=errors)
    async def drop_grant(
        id: UUID, resource: str, request: Request, caller: Annotated[Principal, allowed(ADMINS, "u")]
    ) -> dict[str, Any]:
        """Back to what a new restricted admin may do: read."""
        return await _change(request, caller, id, {_known(resource): None})

    @router.post(
        "", name="set all grants", response_model=Grants, responses=errors, openapi_extra=WRITE_HEADERS
    )
    async def set_all(
        id: UUID, body: AllGrants, request: Request, caller: Annotated[Principal, allowed(ADMINS, "u")]
    ) -> Response:
        """The same on every kind of resource."""
        rights = {} if body.grant == "read_only" else dict.fromkeys(sorted(KNOWN), _ALL[body.grant])

        async def effect(tx: AsyncConnection, actor: Actor) -> Answer:
            before = await fetch(tx, ADMINS, caller, id)
            gone = dict.fromkeys(set(before["rights"]) - set(rights))
            patch = {"restricted": True, "rights": {**gone, **rights}}
            row, _ = await update(tx, registry, ADMINS, actor, id, patch)
            return Answer(200, {**shown(row), "admin_id": str(id)})

        return await post_once(request, caller, effect)

    async def _change(
        request: Request, caller: Principal, id: UUID, rights: dict[str, str | None]
    ) -> dict[str, Any]:
        actor = actor_of(request, caller)
        async with database(request).transaction(Scope.of(caller)) as tx:
            admin = await fetch(tx, ADMINS, caller, id, lock=True)
            if not admin["restricted"]:
                raise Conflict("not_restricted", "this admin may do everything: restrict it first")
            row, _ = await update(tx, registry, ADMINS, actor, id, {"rights": rights})
            return shown(row)

    return router


def _known(resource: str) -> str:
    if resource not in KNOWN:
        raise InvalidInput([FieldError("resource", "unknown_resource", "no such kind of resource")])
    return resource


def shown(admin: Row) -> dict[str, Any]:
    """An admin's grants as they are answered."""
    rights = admin["rights"] if admin["restricted"] else dict.fromkeys(KNOWN, "crud")
    items = [
        _line(service, name, rights.get(name, DEFAULT), admin["restricted"] and name in rights)
        for service, names in RESOURCES.items()
        for name in names
    ]
    return {"admin_id": admin["id"], "restricted": admin["restricted"], "items": items, "next_cursor": None}


def _line(service: str, name: str, letters: str, given: bool) -> dict[str, Any]:
    words = {word: word[0] in letters for word in ("create", "read", "update", "delete")}
    return {"resource": name, "service": service, **words, "given": given}
