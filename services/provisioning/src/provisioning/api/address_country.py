"""`GET countries/of-address`: the country that a filter by country would see for an address (domain 4.4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from landline.chassis.auth import Caller
from landline.chassis.geoip import GeoIp, address
from landline.chassis.problems import FieldError, InvalidInput, responses
from landline.chassis.settings import Settings
from pydantic import BaseModel

from provisioning.api.lists import country_name

router = APIRouter(tags=["lists"], responses=responses(401, 422))


class AddressCountry(BaseModel):
    """`country` null: private, or in no table; a filter by country refuses it then."""

    address: str
    country: str | None
    name: str | None
    source: str


@router.get("/countries/of-address", name="get country of address")
async def country_of_address(
    request: Request, _caller: Caller, address: Annotated[str, Query(max_length=64)]
) -> AddressCountry:
    """What country is this address? The operator's database if one is set, else the built-in table."""
    shown, table = _canonical(address), _table(request)
    country = table.country_of(shown)
    name = None if country is None else country_name(country)
    return AddressCountry(address=shown, country=country, name=name, source=table.source)


def _canonical(text: str) -> str:
    try:
        return str(address(text))
    except ValueError:
        message = "not an IPv4 or IPv6 address"
        raise InvalidInput([FieldError("address", "address", message)]) from None


def _table(request: Request) -> GeoIp:
    """This process's table, opened when it is first asked for."""
    state = request.app.state
    if not hasattr(state, "geoip"):
        settings: Settings = state.settings
        state.geoip = GeoIp(settings.geoip_db)
    table: GeoIp = state.geoip
    return table
