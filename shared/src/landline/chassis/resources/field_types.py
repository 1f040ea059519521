"""Types of fields on the wire, and the SQL type of money. Every text has a length, money is a string."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

import phonenumbers
from babel.core import get_global
from babel.numbers import get_territory_currencies
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from sqlalchemy import BigInteger
from sqlalchemy.types import TypeDecorator

from landline.kernel.money import MoneyOutOfRange, decimal_string, to_micros
from landline.kernel.numbers import is_e164

LONGEST_TEXT = 4096


def _strict(schema: Any) -> Any:
    if isinstance(schema, dict):
        strict = {"strict": True} if schema.get("type") in ("int", "float", "bool") else {}
        return {key: _strict(value) for key, value in schema.items()} | strict
    return [_strict(each) for each in schema] if isinstance(schema, list) else schema


class ApiModel(BaseModel):
    """Base of what a management API takes: unknown fields are refused, no text is longer than 4,096."""

    model_config = ConfigDict(extra="forbid", str_max_length=LONGEST_TEXT)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Numbers are JSON numbers and true is true: "2" is no number, "yes" no boolean.

        pydantic's strict mode as a whole would refuse ids and times, which arrive as text.
        """
        schema: CoreSchema = _strict(handler(source))
        return schema


class Micros(TypeDecorator[int]):
    """A money column: bigint micros, named `<field>_micros`; the kit shows it as the text field `<field>`."""

    impl = BigInteger
    cache_ok = True


@dataclass(frozen=True)
class MoneyText:
    """`Annotated[int, MoneyText(...)]`: micros inside, a decimal string such as "12.50" on the wire.

    A JSON number is refused: it may already have lost a cent on its way.
    """

    decimals: int = 6
    least: str = "0"
    most: str = "999999999"

    def _parse(self, value: Any) -> int:
        if not isinstance(value, str) or value.startswith("+"):
            raise PydanticCustomError("money_text", 'money is a decimal string such as "12.50"')
        try:
            micros = to_micros(value)
        except MoneyOutOfRange:
            raise PydanticCustomError("money_text", 'money is a decimal string such as "12.50"') from None
        if micros % 10 ** (6 - self.decimals):
            raise PydanticCustomError("money_decimals", "at most {n} decimals", {"n": self.decimals})
        if not to_micros(self.least) <= micros <= to_micros(self.most):
            bounds = {"least": self.least, "most": self.most}
            raise PydanticCustomError("money_range", "between {least} and {most}", bounds)
        return micros

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                decimal_string, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        pattern = rf"^-?[0-9]{{1,12}}(\.[0-9]{{1,{self.decimals}}})?$"
        return {"type": "string", "format": "decimal", "pattern": pattern, "examples": ["12.50"]}


# C0, C1, line separators, byte order mark, and what turns the direction of text: a name read as another
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")


def _printable(value: str) -> str:
    if _CONTROL.search(value) or value != value.strip():
        raise PydanticCustomError("text_form", "no control characters, no blank at either end")
    return value


def _timezone(value: str) -> str:
    if value not in _timezones():
        raise PydanticCustomError("timezone", "not a time zone of the IANA database, such as Europe/Madrid")
    return value


@cache
def _timezones() -> frozenset[str]:
    return frozenset(name for name in available_timezones() if "/" in name or name == "UTC")


def _country(value: str) -> str:
    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise PydanticCustomError(
            "country", "not an ISO 3166 country code with telephone numbers, such as ES"
        )
    return value


def _e164(value: str) -> str:
    if not is_e164(value):
        raise PydanticCustomError("e164", "not a number in E.164 form, such as +34600123123")
    return value


_LOCAL_PART = r"(?!\.)(?!.*\.\.)[^@\s\x00-\x1f<>,;\"]{0,63}[^@\s\x00-\x1f<>,;\".]"
_EMAIL = re.compile(
    rf"(?=.{{1,254}}$){_LOCAL_PART}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?\.)+[A-Za-z]{{2,63}}",
    re.ASCII,
)


def _currency(value: str) -> str:
    if value not in _tender():
        raise PydanticCustomError("currency", "not an ISO 4217 code of a currency in use, such as EUR")
    return value


@cache
def _tender() -> frozenset[str]:
    """What is legal tender somewhere today (Unicode CLDR): no gold, no test codes, no Deutsche Mark."""
    countries = get_global("territory_currencies")
    return frozenset(code for country in countries for code in get_territory_currencies(country))


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise PydanticCustomError("email", "not an e-mail address")
    return value


def unique_items(values: list[Any]) -> list[Any]:
    """Refuse a list that names something twice."""
    if len({repr(v) for v in values}) != len(values):
        raise PydanticCustomError("duplicate_items", "something is listed twice")
    return values


Line = Annotated[str, AfterValidator(_printable)]
Name = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_printable)]
Description = Annotated[str, Field(max_length=500), AfterValidator(_printable)]
Timezone = Annotated[str, Field(max_length=64), AfterValidator(_timezone)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$"), AfterValidator(_country)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$"), AfterValidator(_currency)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
E164Number = Annotated[str, Field(max_length=16), AfterValidator(_e164)]
Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]


def to_money(value: Decimal | str) -> int:
    """Micros of a literal, for defaults in declarations."""
    return to_micros(value)
