"""The platform of the containers does its job: a call is admitted, answered, ended, recorded and charged."""

from __future__ import annotations

from tests.containers.containers import Containers
from tests.support.world import MOBILE, Platform, until


def test_a_call_over_rest_through_the_proxy(containers: Containers, platform: Platform) -> None:
    """Login, edge, brand, home, money; two seconds cost 0.02; counters and ledger agree."""
    home = platform.brand("Rest").home(billing_method="prepaid", balance="1.00")
    call = platform.edge().talk(home, MOBILE, 2)
    record = home.record(call.id)
    assert (record["duration_s"], record["price"]) == (2, "0.02")
    assert home.settled()["settled"] == "0.98"
    containers.assert_books_hold()


def test_everything_is_still_there_after_a_restart(containers: Containers, platform: Platform) -> None:
    """Volumes hold what was promised; a second `up` makes no roles and no tables anew."""
    home = platform.brand("Kept").home(billing_method="prepaid", balance="2.00")
    before = home.settled()
    containers.compose("down", "--timeout", "10")
    containers.up()
    platform.wait_served()
    until(lambda: home.usage()["settled"] == before["settled"], "the balance is back")
    platform.edge().admit(home, MOBILE).ended(cause="cancelled", sip_code=487)


def test_call_control_runs_more_than_once(containers: Containers, platform: Platform) -> None:
    """Workers keep nothing to themselves: admitted by one, ended by the other."""
    containers.compose(
        "up", "--detach", "--wait", "--scale", "call-control=2", "--no-recreate", "call-control"
    )
    home = platform.brand("Twice").home()
    edge = platform.edge()
    for _ in range(4):
        home.record(edge.talk(home, MOBILE, 1).id)
    assert home.usage()["active_calls"] == 0
    assert len(containers.compose("ps", "--quiet", "call-control").split()) == 2
    containers.assert_books_hold()
