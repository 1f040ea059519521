"""What a home does not want, what a thief would do, and a number hidden for one call: over real SIP."""

from __future__ import annotations

from tests.edge.town import Town
from tests.support.world import MOBILE, PROVISIONING, until


def test_too_many_calls_in_a_minute(town: Town) -> None:
    """503 with Retry-After: a phone that redials by itself must know when (RFC 3261 section 21.5.4)."""
    home = town.home(max_calls_per_minute=2)
    phone = town.phone(home)
    for _ in range(2):
        placed, answer = phone.dial(MOBILE)
        assert answer.status == 200
        placed.hang_up()
    _, refused = phone.dial(MOBILE)
    assert (refused.status, refused.header("X-Landline-Reason")) == (503, "too_fast")
    assert 0 < int(refused.header("Retry-After")) <= 60
    town.settled(home)
    assert len(home.records()) == 2
    town.assert_nothing_left()


def test_a_barred_number(town: Town) -> None:
    """The client's own barring: 403, and the same number goes out when the barring has gone."""
    home = town.home()
    phone = town.phone(home)
    api = home.brand.api
    row = {"client_id": home.id, "name": "No mobiles", "prefixes": ["+346"]}
    made = api.post(f"{PROVISIONING}/barrings", row)

    def refused_for() -> str:
        placed, answer = phone.dial(MOBILE)
        if answer.status == 200:
            placed.hang_up()
        return f"{answer.status} {answer.header('X-Landline-Reason')}"

    until(lambda: refused_for() == "403 barred", "barred")
    assert api.http.delete(f"{PROVISIONING}/barrings/{made['id']}").status_code == 204
    until(lambda: refused_for().startswith("200"), "no longer barred")
    town.settled(home)
    town.assert_nothing_left()


def test_a_number_hidden_for_one_call(town: Town) -> None:
    """*31 before the number: the carrier is told nothing of who calls; the next call shows it again."""
    home = town.home()
    phone = town.phone(home)
    hidden, answer = phone.dial(f"*31{MOBILE}")
    assert answer.status == 200
    invite = town.first.next_leg().invite
    assert "anonymous.invalid" in str(invite.header("From"))
    assert invite.header("Privacy") == "id"
    assert home.number not in str(invite)
    hidden.hang_up()
    shown, answer = phone.dial(MOBILE)
    assert answer.status == 200
    assert "anonymous" not in str(town.first.next_leg().invite.header("From"))
    shown.hang_up()
    town.settled(home)
