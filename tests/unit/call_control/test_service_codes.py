"""Service codes on the dialled string (domain.md 4.3, 4.6, section 5), as tables."""

from __future__ import annotations

from typing import Any

import pytest
from call_control.adapters.placement import Change
from call_control.domain.admission.case import ServiceAsked

from tests.support import configured as c
from tests.support.decided import decided

HIDING = c.client(withhold_number=True)
EMERGENCY = c.row("emergency_number", "019a0000-0000-7000-8000-000000000e01", {"number": "112"})


def code(service: str, dialled: str, **changes: Any) -> Change:
    """The brand's own code of a service."""
    data = {"service": service, "code": dialled, "enabled": True, **changes}
    return c.row("service_code", "019a0000-0000-7000-8000-000000000c0d", data)


ONCE: dict[str, tuple[str, tuple[Change, ...], dict[str, Any], bool]] = {
    "no code": ("600123123", (), {}, False),
    "withheld once": ("*31600123123", (), {}, True),
    "as a mobile phone writes it": ("*31#600123123", (), {}, True),
    "with a second star": ("*31*600123123", (), {}, True),
    "escaped in the URI": ("*31%23600123123", (), {}, True),
    "shown once": ("%2331600123123", (HIDING,), {}, False),
    "shown once, unescaped": ("#31#600123123", (HIDING,), {}, False),
    "a code beats what the phone always sends": ("#31600123123", (), {"privacy": "id"}, False),
    "the client hides as ever": ("600123123", (HIDING,), {}, True),
    "the brand's own code": ("*67600123123", (code("withhold_once", "*67"),), {}, True),
}


@pytest.mark.parametrize(("dialled", "more", "body", "hidden"), ONCE.values(), ids=ONCE)
async def test_a_code_hides_or_shows_the_number_in_one_call(
    dialled: str, more: tuple[Change, ...], body: dict[str, Any], hidden: bool
) -> None:
    """Who dialled *31 and is seen all the same has no way to take that back."""
    decision = await decided({"request_user": dialled, **body}, *more)
    assert decision.code == "allow"
    assert (decision.case.callee, decision.case.withhold) == (c.MOBILE, hidden)
    assert (decision.case.legs[0].from_user == "anonymous") is hidden


NO_CODE = {
    "a code nobody has": ("*99600123123", ()),
    "the default after the brand chose another": ("*31600123123", (code("withhold_once", "*67"),)),
    "a service the brand does not offer": (
        "*31600123123",
        (code("withhold_once", "*31", enabled=False),),
    ),
    "a code without a number": ("*31", ()),
}


@pytest.mark.parametrize(("dialled", "more"), NO_CODE.values(), ids=NO_CODE)
async def test_what_is_no_code_is_no_number_either(dialled: str, more: tuple[Change, ...]) -> None:
    """It must not go out with the star, nor to some number without it."""
    assert (await decided({"request_user": dialled}, *more)).code == "invalid_number"


@pytest.mark.parametrize(
    ("dialled", "service", "argument"),
    [
        ("*80600123123", "forward_unconditional", "600123123"),
        ("*81*", "forward_busy", "*"),
        ("*82", "forward_no_answer", ""),
        ("*83600123123", "forward_not_registered", "600123123"),
        ("*93", "voicemail", ""),
    ],
)
async def test_other_codes_say_what_is_asked(dialled: str, service: str, argument: str) -> None:
    """Read before any transformation, so that no rule can turn a code into a number."""
    case = (await decided({"request_user": dialled})).case
    assert case.asked == (service, argument)


@pytest.mark.parametrize(
    ("dialled", "client", "outcome"),
    [
        ("*80600123123", {}, ("forward_unconditional", "number", c.MOBILE)),
        ("*80+34600123123", {}, ("forward_unconditional", "number", c.MOBILE)),
        ("*81*", {}, ("forward_busy", "voicemail", None)),
        ("*82", {}, ("forward_no_answer", None, None)),
        ("*83torture", {}, "invalid_number"),
        ("*93", {"features": ["voicemail"]}, ("voicemail", None, None)),
        ("*93", {}, "service_unavailable"),
    ],
)
async def test_a_code_ends_the_decision_with_what_is_to_be_done(
    dialled: str, client: dict[str, Any], outcome: Any
) -> None:
    """Numbers as the device dials them, no presentation number needed, no price asked."""
    done = await decided({"request_user": dialled}, c.client(**client), without=("profile",))
    asked = done.refusal
    if isinstance(asked, ServiceAsked):
        assert (asked.service, asked.target, asked.number) == outcome
        assert done.trace[-1].outcome == "service"
    else:
        assert done.code == outcome


async def test_the_longest_code_counts() -> None:
    """*3 beside *31: else 1 would be dialled."""
    case = (await decided({"request_user": "*31600123123"}, code("voicemail", "*3"))).case
    assert (case.asked, case.withhold) == (None, True)


async def test_an_emergency_number_behind_a_code_is_one() -> None:
    """In panic people dial as they are used to; the number is shown all the same (4.12)."""
    case = (await decided({"request_user": "*31112"}, EMERGENCY)).case
    assert (case.call_class, case.withhold) == ("emergency", False)


@pytest.mark.parametrize("dialled", ["112", "+34112", "0034112"])
async def test_an_emergency_number_is_known_however_it_is_dialled(dialled: str) -> None:
    """Address books write numbers with the country's code, and this one too."""
    case = (await decided({"request_user": dialled}, EMERGENCY)).case
    assert case.call_class == "emergency"


async def test_a_code_is_for_who_may_call() -> None:
    """A stranger's source must not set a forward."""
    decision = await decided({"request_user": "*80600123123"}, c.client(ip_filter=True))
    assert decision.code == "source_not_allowed"
