"""Which number the called party sees, and what hides it (domain.md section 4.6), as tables."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from call_control.adapters.placement import Change

from tests.support import configured as c
from tests.support.decided import decided

NO_CLIENT_DDI = c.client(outgoing_ddi_id=None)


class Row(NamedTuple):
    shown: str
    by: str
    body: dict[str, Any] = {}
    more: tuple[Change, ...] = ()


CHOICE = {
    "the asserted number is a DDI": Row(c.NUMBER_2, "caller", {"asserted_identity": "944048183"}),
    "asserted in E.164": Row(c.NUMBER_2, "caller", {"asserted_identity": "+34944048183"}),
    "asserted as a header": Row(
        c.NUMBER_2, "caller", {"asserted_identity": '"Ana" <sip:944048183@sip.brand.example;user=phone>'}
    ),
    "asserted as a tel URI": Row(c.NUMBER_2, "caller", {"asserted_identity": "tel:+34-944-048-183"}),
    "P-Asserted-Identity before P-Preferred-Identity": Row(
        c.NUMBER, "caller", {"asserted_identity": "944048182", "preferred_identity": "944048183"}
    ),
    "P-Preferred-Identity before Remote-Party-ID": Row(
        c.NUMBER_2,
        "caller",
        {"asserted_identity": None, "preferred_identity": "944048183", "remote_party_id": "944048182"},
    ),
    "Remote-Party-ID alone": Row(
        c.NUMBER_2, "caller", {"asserted_identity": None, "remote_party_id": "944048183"}
    ),
    "From is never caller id": Row(c.NUMBER, "client", {"asserted_identity": None, "from_user": "944048183"}),
    "a foreign number falls back": Row(c.NUMBER, "client", {"asserted_identity": "+34911111111"}),
    "anonymous asserted matches no DDI": Row(c.NUMBER, "client", {"asserted_identity": "anonymous"}),
    "an empty asserted matches no DDI": Row(c.NUMBER, "client", {"asserted_identity": ""}),
    "diverting number, when the caller is foreign": Row(
        c.NUMBER_2,
        "diversion",
        {"asserted_identity": "+442071234567", "diversion": [{"number": "944048183"}]},
    ),
    "first diverting number that is ours": Row(
        c.NUMBER_2,
        "diversion",
        {
            "asserted_identity": "+442071234567",
            "diversion": [{"number": "911111111"}, {"number": "anonymous"}, {"number": "944048183"}],
        },
    ),
    "no diverting number of ours": Row(
        c.NUMBER, "client", {"asserted_identity": None, "diversion": [{"number": "911111111"}]}
    ),
    "the device's before the client's": Row(
        c.NUMBER_2, "device", {"asserted_identity": None}, (c.device(outgoing_ddi_id=c.DDI_2),)
    ),
    "the client's when the device's is not active": Row(
        c.NUMBER,
        "client",
        {"asserted_identity": None},
        (c.device(outgoing_ddi_id=c.DDI_2), c.ddi(c.DDI_2, c.NUMBER_2, state="quarantine")),
    ),
    "an out-only DDI may be shown": Row(
        c.NUMBER_2, "caller", {"asserted_identity": "944048183"}, (c.ddi(c.DDI_2, c.NUMBER_2, kind="out"),)
    ),
}


@pytest.mark.parametrize("row", CHOICE.values(), ids=CHOICE)
async def test_the_number_shown_is_the_first_that_is_ours(row: Row) -> None:
    """A number that is not the client's, shown to the called party, is a forged caller id."""
    decision = await decided(row.body, *row.more)
    assert decision.code == "allow"
    assert (decision.case.shown, decision.case.shown_by) == (row.shown, row.by)


async def test_without_a_transformation_set_diverting_numbers_are_taken_as_they_are() -> None:
    """A device that speaks E.164 needs no set."""
    plain = c.client(transformation_set_id=None, outgoing_ddi_id=None)
    body = {"request_user": c.MOBILE, "asserted_identity": None, "diversion": [{"number": c.NUMBER_2}]}
    decision = await decided(body, plain)
    assert decision.case.shown == c.NUMBER_2


ASKS: list[tuple[dict[str, Any], bool]] = [
    ({"privacy": "none"}, False),
    ({"privacy": None}, False),
    ({"privacy": "id"}, True),
    ({"privacy": "user;id;critical"}, True),
    ({"privacy": "header, session"}, True),
    ({"privacy": "session"}, False),
    ({"from_user": "Anonymous"}, True),
    ({"from_user": "anonymous", "from_domain": "anonymous.invalid"}, True),
    ({"from_user": None}, False),
]


@pytest.mark.parametrize(("body", "withheld"), ASKS, ids=[str(body) for body, _ in ASKS])
async def test_a_caller_can_ask_to_stay_unknown(body: dict[str, Any], withheld: bool) -> None:
    """RFC 3323: Privacy id, user or header, or an anonymous From; losing the wish shows a hidden number."""
    assert (await decided(body)).case.withhold is withheld


async def test_a_client_can_stay_unknown_by_default() -> None:
    """withhold_number of the client (section 4.6)."""
    decision = await decided({}, c.client(withhold_number=True))
    assert decision.case.withhold
    [line] = [line for line in decision.trace if line.step == "presentation"]
    assert line.detail == f"{c.NUMBER} by caller, withheld"


async def test_a_withheld_number_reaches_trusted_servers_only() -> None:
    """RFC 3325 section 7: a network that is not trusted must not learn the identity."""
    servers = (
        c.server(trusted=True, send_rpid=True),
        c.server(c.SERVER_2, host="198.51.100.10", send_rpid=True, from_user="trunk7"),
    )
    trusted, untrusted = (await decided({"privacy": "id"}, *servers)).case.legs
    for leg in (trusted, untrusted):
        assert (leg.from_user, leg.from_domain, leg.from_display) == (
            "anonymous",
            "anonymous.invalid",
            "Anonymous",
        )
        assert leg.privacy == "id"
        assert leg.rpid is not None
        assert leg.rpid.endswith("privacy=full")
    assert trusted.pai == f"<sip:{c.NUMBER}@{c.DOMAIN}>"
    assert untrusted.pai is None


async def test_an_open_call_carries_its_number_everywhere() -> None:
    """The ordinary case: From, PAI and RPID name the presentation number, nothing is hidden."""
    servers = (c.server(send_rpid=True), c.server(c.SERVER_2, send_pai=False, from_domain="trunk.example"))
    first, second = (await decided({}, *servers)).case.legs
    assert (first.from_user, first.from_domain, first.privacy) == (c.NUMBER, None, None)
    assert first.pai == f"<sip:{c.NUMBER}@{c.DOMAIN}>"
    assert first.rpid == f"<sip:{c.NUMBER}@{c.DOMAIN}>;party=calling;screen=yes;privacy=off"
    assert (second.pai, second.rpid, second.from_domain) == (None, None, "trunk.example")


async def test_a_diverted_call_says_by_whom() -> None:
    """RFC 5806: the diverting DDI in Diversion; a route may drop it; a made-up reason is not passed on."""
    body = {
        "asserted_identity": "+442071234567",
        "diversion": [{"number": "944048183", "reason": "no-answer"}],
    }
    assert (await decided(body)).case.legs[
        0
    ].diversion == f"<sip:{c.NUMBER_2}@{c.DOMAIN}>;reason=no-answer;counter=1"
    dropped = await decided(body, c.route(disable_diversion=True))
    assert dropped.case.legs[0].diversion is None
    forged = {**body, "diversion": [{"number": "944048183", "reason": "x>;privacy=off"}]}
    assert ";reason=unknown;" in str((await decided(forged)).case.legs[0].diversion)
    silent = {**body, "diversion": [{"number": "944048183", "reason": None}]}
    assert ";reason=unconditional;" in str((await decided(silent)).case.legs[0].diversion)


async def test_a_carrier_reads_who_diverted_as_it_reads_callers() -> None:
    """A national carrier does not know +34944048183; how often the call was diverted goes along."""
    national = {"transformation_set_id": c.SET, "direction": "caller_out", "priority": 0}
    rule = c.row(
        "transformation_rule",
        "019a0000-0000-7000-8000-00000000f101",
        {**national, "match": r"^\+34([0-9]{9})$", "replace": r"\1"},
    )
    body = {
        "asserted_identity": "+442071234567",
        "diversion": [{"number": "944048183", "reason": "user-busy"}, {"number": "x", "counter": 2}],
    }
    decision = await decided(body, rule, c.carrier(transformation_set_id=c.SET))
    assert decision.case.legs[0].diversion == f"<sip:944048183@{c.DOMAIN}>;reason=user-busy;counter=3"
