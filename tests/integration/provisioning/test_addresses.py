"""Authorized sources that overlap, and what country an address is in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from landline.chassis import geoip
from landline.chassis.geoip import GeoIp

from tests.integration.provisioning.test_client_rules import refused
from tests.support.provisioning_api import Api

DATA = Path(__file__).parents[2] / "data" / "geoip"


@pytest.mark.parametrize(
    ("network", "warned"),
    [
        ("203.0.113.0/24", ["203.0.113.0/28 lies inside it", "203.0.113.7 lies inside it"]),
        ("203.0.113.3", ["203.0.113.0/28 holds it already"]),
        ("2001:db8::/48", ["2001:db8::/32 holds it already"]),
        ("::ffff:203.0.113.5", ["203.0.113.0/28 holds it already"]),
        ("198.51.100.1", []),
        ("2001:db9::1", []),
    ],
)
async def test_overlapping_sources_are_told_not_refused(api: Api, network: str, warned: list[str]) -> None:
    """An operator who removes the smaller one must know that the larger one still lets it in."""
    brand = await api.brand()
    client, other = await api.client(brand, ip_filter=True), await api.client(brand, ip_filter=True)
    for client_id, known in (
        (client["id"], "203.0.113.0/28"),
        (client["id"], "203.0.113.7"),
        (client["id"], "2001:db8::/32"),
        (other["id"], "198.51.100.0/24"),
    ):
        await api.made(brand["name"], "authorized-sources", {"client_id": client_id, "network": known})
    body = {"client_id": client["id"], "network": network}
    made = await api.made(brand["name"], "authorized-sources", body)
    assert [w["message"] for w in made["warnings"]] == warned
    assert {w["code"] for w in made["warnings"]} <= {"overlaps"}
    kept = (await api.get(brand["name"], f"authorized-sources/{made['id']}")).json()
    assert "warnings" not in kept
    moved = await api.patch(brand["name"], f"authorized-sources/{made['id']}", {"network": "192.0.2.1"})
    assert moved.json()["warnings"] == []


async def test_a_source_of_a_client_without_filter_says_that_it_does_nothing(api: Api) -> None:
    """Model system issue 1294: people add addresses and wonder why calls come from elsewhere."""
    brand = await api.brand()
    client = await api.client(brand)
    body = {"client_id": client["id"], "network": "203.0.113.9"}
    made = await api.made(brand["name"], "authorized-sources", body)
    assert [w["code"] for w in made["warnings"]] == ["filter_off"]


@pytest.mark.parametrize(
    ("address", "shown", "country", "name"),
    [
        ("80.58.61.250", "80.58.61.250", "ES", "Spain"),
        ("::ffff:80.58.61.250", "80.58.61.250", "ES", "Spain"),
        ("192.168.1.1", "192.168.1.1", None, None),
        ("2A00:1450:4001:82a::200E", "2a00:1450:4001:82a::200e", "IE", "Ireland"),
    ],
)
async def test_the_country_of_an_address_is_what_calls_would_be_judged_by(
    api: Api, address: str, shown: str, country: str | None, name: str | None
) -> None:
    """The same table as call-control's: an operator sees before the first call."""
    brand = await api.brand()
    found = await api.get(brand["name"], "countries/of-address", params={"address": address})
    assert found.json() == {"address": shown, "country": country, "name": name, "source": "built-in"}


@pytest.mark.parametrize("address", ["", "here", "999.1.1.1", "80.58.61.250/24", "x" * 65])
async def test_what_is_no_address_is_refused(api: Api, address: str) -> None:
    """By field, and never a 500."""
    found = await api.get("platform", "countries/of-address", params={"address": address})
    assert [f for f, _ in refused(found)] == ["address"]


async def test_the_operators_own_database_is_read_and_read_anew(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set by LANDLINE_GEOIP_DB, replaced monthly without a restart; a damaged copy leaves the good one."""
    monkeypatch.setattr(geoip, "RECHECK_S", 0.0)
    path = tmp_path / "own.mmdb"
    shutil.copy(DATA / "GeoIP2-Country-Test.mmdb", path)
    monkeypatch.setattr(api.app.state, "geoip", GeoIp(str(path)), raising=False)

    async def asked() -> tuple[str | None, str]:
        answer = await api.get("platform", "countries/of-address", params={"address": "81.2.69.160"})
        return answer.json()["country"], answer.json()["source"]

    assert await asked() == ("GB", "own.mmdb")
    good = path.read_bytes()
    for number, damaged in enumerate((b"", b"half a file", good[: len(good) // 2], os.urandom(5000)), 1):
        path.write_bytes(damaged)
        os.utime(path, ns=(number, number))
        assert await asked() == ("GB", "own.mmdb"), number
    path.unlink()
    assert await asked() == ("GB", "own.mmdb")
    shutil.copy(DATA / "GeoLite2-Country-Test.mmdb", path)
    assert await asked() == ("GB", "own.mmdb")


@pytest.mark.parametrize("at", range(0, 19_000, 1_900))
def test_a_database_damaged_anywhere_never_raises(tmp_path: Path, at: int) -> None:
    """A flipped block in the middle of a file: an address has a country or none, and no call gets a 500."""
    raw = bytearray((DATA / "GeoIP2-Country-Test.mmdb").read_bytes())
    raw[at : at + 400] = bytes(byte ^ 0xA5 for byte in raw[at : at + 400])
    path = tmp_path / "damaged.mmdb"
    path.write_bytes(raw)
    table = GeoIp(str(path))
    for address in ("81.2.69.160", "2001:218::1", "8.8.8.8", "216.160.83.56", "2a02:d3c0::1"):
        found = table.country_of(address)
        assert found is None or isinstance(found, str)
