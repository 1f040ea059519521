"""Types of fields that several of provisioning's resources share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from landline.chassis.resources import ApiModel
from landline.chassis.resources.field_types import Line
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from provisioning.domain.addresses import (
    BadAddress,
    canonical_address,
    canonical_domain,
    canonical_host,
    canonical_network,
)


def _checked(check: Callable[[str], str], code: str) -> AfterValidator:
    def validate(value: str) -> str:
        try:
            return check(value)
        except BadAddress as error:
            raise PydanticCustomError(code, "{reason}", {"reason": str(error)}) from None

    return AfterValidator(validate)


Domain = Annotated[str, Field(max_length=190), _checked(canonical_domain, "domain")]
Host = Annotated[str, Field(max_length=190), _checked(canonical_host, "host")]
Address = Annotated[str, Field(max_length=45), _checked(canonical_address, "address")]
Network = Annotated[str, Field(max_length=49), _checked(canonical_network, "network")]
Port = Annotated[int, Field(ge=1, le=65535)]
MaxCalls = Annotated[int, Field(ge=0, le=100_000, description="0 = unlimited")]
MaxCallSeconds = Annotated[
    Annotated[int, Field(ge=1, le=10_800)] | None,
    Field(description="cap of one call in seconds; null: 3 hours"),
]
SipUser = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.!~*'()&=+$,;?/+-]+$")]
Transport = Literal["udp", "tcp", "tls"]


class InvoiceData(ApiModel):
    """Who is invoiced, or who invoices."""

    legal_name: Annotated[Line, Field(max_length=255)] | None = Field(
        None, description="name of the person or company; null: none"
    )
    tax_id: Annotated[Line, Field(max_length=25)] | None = Field(
        None, description="VAT or tax number; null: none"
    )
    address: Annotated[Line, Field(max_length=255)] | None = Field(
        None, description="street and house number; null: none"
    )
    postal_code: Annotated[Line, Field(max_length=10)] | None = Field(
        None, description="as the country writes it; null: none"
    )
    town: Annotated[Line, Field(max_length=255)] | None = Field(None, description="city or town; null: none")
    province: Annotated[Line, Field(max_length=255)] | None = Field(
        None, description="state or province; null: none"
    )
    country: Annotated[Line, Field(max_length=255)] | None = Field(
        None, description="name of the country as it is printed; null: none"
    )
