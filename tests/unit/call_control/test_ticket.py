"""Tickets: small, signed, of one call."""

from __future__ import annotations

from typing import Any

import pytest
from call_control.domain.live_call import Terms
from call_control.domain.ticket import MOST_BYTES, TicketRefused, open_ticket, sign_ticket
from landline.contracts.call_control.events import CallFacts
from landline.kernel.ids import new_id
from landline.rating.pinned import dumps
from landline.rating.tariff import Price, Tariff, Tier, always

from tests.support.calls import facts

KEY = b"a key of thirty-two bytes, or so"


def long_facts() -> CallFacts:
    """As long as real ones: six ids and a two-tier tariff."""
    price = Price.of("0.1234", Tier.of(0, "0.654321", 60), Tier.of(60, "0.0123456", 1))
    tariff = Tariff(
        "EUR",
        (always(price),),
        timezone="America/Argentina/Buenos_Aires",
        plan_id=new_id(),
        profile_id=new_id(),
        deck_id=new_id(),
        deck_version=123,
        prefix="+3460012",
        destination="Spain Mobile Movistar",
    )
    ids: dict[str, Any] = {
        name: new_id() for name in ("brand_id", "client_id", "device_id", "ddi_id", "edge_id")
    }
    return facts(
        17,
        sip_call_id="a84b4c76e66710-abcdefgh-0123456789@pc33.atlanta.example.com",
        timezone="America/Argentina/Buenos_Aires",
        tariff=dumps(tariff),
        daily_limited=True,
        **ids,
    )


def test_a_ticket_gives_back_the_call_it_was_made_of() -> None:
    """It must settle the call to the micro."""
    base, terms = long_facts(), Terms(rule="prepaid", limit_micros=10_000_000, thresholds=(50, 80))
    assert open_ticket(sign_ticket(base, terms, KEY), base.call_id, KEY) == (base, terms)


def test_a_ticket_fits_the_edges_buffer() -> None:
    """700 bytes, contracts section 4: Kamailio keeps it with the dialog."""
    assert len(sign_ticket(long_facts(), Terms(rule="prepaid"), KEY)) <= MOST_BYTES - 100


def test_the_same_call_gets_the_same_ticket() -> None:
    """A repeated attempt gets the same answer."""
    base = long_facts()
    assert sign_ticket(base, Terms(), KEY) == sign_ticket(base, Terms(), KEY)


def test_another_calls_ticket_and_another_key_are_refused() -> None:
    """An edge must not charge one call to another."""
    base = long_facts()
    ticket = sign_ticket(base, Terms(), KEY)
    with pytest.raises(TicketRefused, match="another call"):
        open_ticket(ticket, facts().call_id, KEY)
    with pytest.raises(TicketRefused, match="signature"):
        open_ticket(ticket, base.call_id, b"another key")


@pytest.mark.parametrize("text", ["", "x", "ñ", "AAAA" * 500, "=" * 40, "A" * 23])
def test_what_is_no_ticket_is_refused(text: str) -> None:
    """It comes from outside."""
    with pytest.raises(TicketRefused):
        open_ticket(text, facts().call_id, KEY)


def test_every_changed_character_is_noticed() -> None:
    """One flipped bit of a price would be signed money."""
    base = long_facts()
    ticket = sign_ticket(base, Terms(), KEY)
    for at in range(0, len(ticket) - 1, 7):
        forged = ticket[:at] + ("A" if ticket[at] != "A" else "B") + ticket[at + 1 :]
        with pytest.raises(TicketRefused):
            open_ticket(forged, base.call_id, KEY)
