"""Media: every call through rtpengine, recorded when its number says so, ended when nobody speaks."""

from __future__ import annotations

from pathlib import Path

from tests.edge.processes import MEDIA_TIMEOUT_S
from tests.edge.rtp import recorded_packets
from tests.edge.town import Town
from tests.support.world import MOBILE, PROVISIONING, until


def test_two_seconds_recorded_in_both_directions(town: Town) -> None:
    """The parties hear each other through the relay, and the recording holds both of them."""
    home = town.home(features=["recordings"])
    town.platform.api.patch(f"{PROVISIONING}/ddis/{home.ddi_id}", {"record": "all"})
    phone = town.phone(home)

    def recorded() -> Path | None:
        before = set(town.edge.recordings.rglob("*.pcap"))
        placed, answer = phone.dial(MOBILE)
        assert answer.status == 200
        leg = town.first.next_leg()
        assert placed.audio.remote
        assert placed.audio.remote[0] == town.edge.ip
        speaking = [placed.audio.send(2.0), leg.audio.send(2.0)]
        for each in speaking:
            each.join()
        assert leg.audio.received()[placed.audio.ssrc] >= 95
        assert placed.audio.received()[leg.audio.ssrc] >= 95
        placed.hang_up()
        leg.wait_ended()
        new = sorted(set(town.edge.recordings.rglob("*.pcap")) - before)
        if not new:  # call-control had not heard of the number's new mode yet
            return None
        counted = recorded_packets(new[0])
        assert counted[placed.audio.ssrc] >= 95, counted
        assert counted[leg.audio.ssrc] >= 95, counted
        return new[0]

    until(recorded, "a recording")
    town.settled(home)
    town.assert_nothing_left()


def test_a_call_that_nobody_hears_ends(town: Town) -> None:
    """Dead media: a BYE to both, cause media_timeout, charged up to the last packet."""
    home = town.home()
    placed, answer = town.phone(home).dial(MOBILE)
    assert answer.status == 200
    leg = town.first.next_leg()
    for each in (placed.audio.send(1.0), leg.audio.send(1.0)):
        each.join()
    placed.wait_ended(MEDIA_TIMEOUT_S + 12)
    leg.wait_ended()
    record = town.only_record(home)
    assert (record["cause"], record["ended_by"]) == ("media_timeout", "system")
    assert record["duration_s"] < MEDIA_TIMEOUT_S, record
    town.assert_nothing_left()
