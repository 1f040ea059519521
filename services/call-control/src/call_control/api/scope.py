"""Who may see what: outside one's scope a row does not exist (domain.md section 3)."""

from __future__ import annotations

from landline.chassis.auth import Principal
from landline.chassis.problems import Forbidden, NotFound

from call_control.api.services import Services
from call_control.domain.facts import ClientFacts
from call_control.domain.live_call import LiveCall


def sees(caller: Principal, call: LiveCall) -> bool:
    """Whether a live call is in the caller's scope."""
    return _covers(caller, call.facts.brand_id, call.facts.client_id)


def _covers(caller: Principal, brand_id: str, client_id: str) -> bool:
    if caller.level in ("platform", "system") and caller.brand_id is None:
        return True
    if caller.brand_id != brand_id:
        return False
    return caller.client_id is None or caller.client_id == client_id


async def of_client(services: Services, caller: Principal, client_id: str) -> tuple[ClientFacts, int]:
    """The client and its partition. NotFound when it does not exist or is out of scope."""
    caller.require("clients", "r")
    client = await services.facts.find_client(client_id)
    if client is None or not _covers(caller, client.brand_id, client_id):
        raise NotFound("no such client")
    brand = (await services.facts.directory()).brands[client.brand_id]
    return client, int(brand["partition"])


def operator(caller: Principal) -> None:
    """Forbidden, unless platform, brand or a service asks."""
    if caller.level == "client":
        raise Forbidden("for operators only", code="operators_only")
