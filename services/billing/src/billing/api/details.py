"""Clients who may not see billing details: no prices anywhere (domain section 2, show_billing_details)."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from landline.chassis.auth import Caller, Principal
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import Forbidden
from landline.chassis.resources import Resource
from sqlalchemy import text

_HIDDEN: ContextVar[bool] = ContextVar("billing_details_hidden", default=False)
_ASK = text("select show_billing_details from clients where client_id = cast(:client_id as uuid)")


@dataclass(frozen=True, kw_only=True, eq=False)
class PricedResource(Resource):
    """A resource some fields of which are prices: not there for a client without billing details.

    Needs `DetailsOf` among its router's dependencies.
    """

    priced: frozenset[str] = frozenset()

    def shown(self) -> list[str]:
        """The fields of an answer; `read_only` may say the type of a field that the kit adds."""
        return list(dict.fromkeys(super().shown()))

    def hidden(self, principal: Principal) -> frozenset[str]:
        """What this caller never sees, nor filters or sorts by."""
        plain = super().hidden(principal)
        return plain | self.priced if principal.level == "client" and _HIDDEN.get() else plain


class DetailsOf:
    """FastAPI dependency: finds out whether the caller may see prices; `needed`: refuse if not."""

    def __init__(self, *, needed: bool = False) -> None:
        self._needed = needed

    async def __call__(self, request: Request, caller: Caller) -> None:
        """Ask for the caller's client; operators see everything."""
        shown = True
        if caller.level == "client":
            db: Database = request.app.state.db
            async with db.transaction(Scope.of(caller)) as tx:
                found: Any = await tx.scalar(_ASK, {"client_id": caller.client_id})
                shown = found is None or bool(found)
        _HIDDEN.set(not shown)
        if self._needed and not shown and _about_itself(request, caller):
            raise Forbidden("billing details are not shown to this client", code="billing_details_hidden")


def _about_itself(request: Request, caller: Principal) -> bool:
    """Another client's address is not there (404), which its own handler says."""
    return request.path_params.get("client_id", caller.client_id) == caller.client_id
