"""Generated rules: the ways of dialling of one place, and of every country in the numbering metadata."""

from __future__ import annotations

import phonenumbers
import pytest
from landline.numbering.countries import UnknownCountry, countries, dial_plan
from landline.numbering.generator import BadPlan, DialPlan, generate
from landline.numbering.transformations import DIRECTIONS, TransformationSet
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

LONDON = DialPlan("44", "00", trunk_prefix="0", area_code="20", national_lengths=(10,))


@pytest.mark.parametrize(
    ("dialled", "e164"),
    [
        ("79460018", "+442079460018"),
        ("02079460018", "+442079460018"),
        ("2079460018", "+442079460018"),
        ("00442079460018", "+442079460018"),
        ("+442079460018", "+442079460018"),
        ("0034944048182", "+34944048182"),
        ("999", "+44999"),
    ],
)
def test_all_ways_to_dial_a_london_number_are_one_number(dialled: str, e164: str) -> None:
    """A subscriber who dials locally must be rated as for the full number."""
    rules = TransformationSet(generate(LONDON))
    assert {rules.apply(way, dialled).result for way in ("caller_in", "callee_in")} == {e164}


@pytest.mark.parametrize(
    ("e164", "shown"),
    [
        ("+442079460018", "79460018"),
        ("+441614960018", "1614960018"),
        ("+44999", "999"),
        ("+34944048182", "0034944048182"),
        ("anonymous", "anonymous"),
    ],
)
def test_numbers_go_out_as_people_there_write_them(e164: str, shown: str) -> None:
    """The callee calls back the number it was shown: it must be diallable from there."""
    rules = TransformationSet(generate(LONDON))
    assert {rules.apply(way, e164).result for way in ("caller_out", "callee_out")} == {shown}


def test_priorities_are_those_of_the_model() -> None:
    """Operators edit generated rules; gaps and order are where they expect them."""
    rules = generate(LONDON)
    assert {way: [r.priority for r in rules if r.direction == way] for way in DIRECTIONS} == {
        "caller_in": [1, 2, 3, 5],
        "callee_in": [1, 2, 3, 5],
        "caller_out": [1, 2, 3, 4],
        "callee_out": [1, 2, 3, 4],
    }


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"country_code": ""}, "country_code"),
        ({"country_code": "+34"}, "country_code"),
        ({"country_code": "٣٤"}, "country_code"),
        ({"international_code": ""}, "international_code"),
        ({"international_code": "0" * 11}, "international_code"),
        ({"trunk_prefix": "000000"}, "trunk_prefix"),
        ({"trunk_prefix": "0)"}, "trunk_prefix"),
        ({"area_code": "123456"}, "area_code"),
        ({"national_lengths": ()}, "national_lengths"),
        ({"national_lengths": (18,)}, "national_lengths"),
        ({"area_code": "944", "national_lengths": (3,)}, "area_code"),
    ],
)
def test_facts_out_of_range_are_refused_by_name(facts: dict[str, object], field: str) -> None:
    """A plan with a wrong fact would quietly turn numbers into other people's numbers."""
    with pytest.raises(BadPlan) as refused:
        DialPlan(**{"country_code": "34", **facts})  # type: ignore[arg-type]
    assert refused.value.field == field


# What four rules cannot say. Argentina's mobiles are dialled 0 + area + 15 + number at home and
# +54 9 + area + number from abroad: digits move inside the number.
# Belarus dials 80 before its area codes but 8 before 801 and 902: two trunk prefixes.
EXCEPTIONS = {("AR", "MOBILE"), ("BY", "TOLL_FREE"), ("BY", "PREMIUM_RATE")}
TYPES = {
    name: kind for name, kind in vars(PhoneNumberType).items() if name.isupper() and isinstance(kind, int)
}


def forms(number: PhoneNumber, plan: DialPlan) -> dict[str, str]:
    """How a person at home may dial a number: with +, internationally, nationally, bare."""
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    return {
        "plus": e164,
        "international": plan.international_code + e164[1:],
        "bare": phonenumbers.national_significant_number(number),
        "national": "".join(c for c in national if c.isascii() and c.isdigit()),
    }


@pytest.mark.parametrize("country", countries())
def test_every_way_to_dial_an_example_number_of_a_country_is_its_e164(country: str) -> None:
    """The ready-made sets are what a new client gets: wrong ones misroute a whole country."""
    plan = dial_plan(country)
    rules = TransformationSet(generate(plan))
    wrong, tried = [], 0
    for name, kind in TYPES.items():
        number = phonenumbers.example_number_for_type(country, kind)
        if number is None or (country, name) in EXCEPTIONS:
            continue
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        out = rules.apply("callee_out", e164).result
        for form, dialled in {**forms(number, plan), "shown": out}.items():
            tried += 1
            result = rules.apply("callee_in", dialled).result
            wrong += [(name, form, dialled, result)] if result != e164 else []
    assert wrong == []
    assert tried > 0


@pytest.mark.parametrize(("country", "name"), sorted(EXCEPTIONS))
def test_an_exception_is_still_one(country: str, name: str) -> None:
    """When the generator learns one of them, the list above must shrink."""
    number = phonenumbers.example_number_for_type(country, TYPES[name])
    assert number is not None
    plan = dial_plan(country)
    rules = TransformationSet(generate(plan))
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    assert rules.apply("callee_in", forms(number, plan)["national"]).result != e164


def test_a_place_without_numbering_has_no_plan() -> None:
    """Antarctica has an ISO code and no metadata: the operator is told, not given Spain's rules."""
    with pytest.raises(UnknownCountry):
        dial_plan("AQ")
