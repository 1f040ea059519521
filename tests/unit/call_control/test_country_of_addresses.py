"""The country of an address (domain.md section 4.4): the operator's file, or the built-in table."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from landline.chassis import geoip
from landline.chassis.geoip import GeoIp

from tests.support import configured as c
from tests.support.decided import decided

DATA = Path(__file__).parents[2] / "data" / "geoip"

KNOWN = [
    ("81.2.69.160", "GB"),
    ("2001:218::1", "JP"),
    ("::ffff:81.2.69.160", "GB"),
    ("192.168.1.1", None),
    ("127.0.0.1", None),
    ("10.1.2.3", None),
    ("fe80::1%eth0", None),
    ("224.0.0.1", None),
    ("203.0.113.7", None),
    ("9.9.9.9", None),
]


@pytest.mark.parametrize("file", ["GeoIP2-Country-Test.mmdb", "GeoLite2-Country-Test.mmdb"])
@pytest.mark.parametrize(("source_ip", "country"), KNOWN)
def test_a_file_tells_the_country_and_private_addresses_have_none(
    file: str, source_ip: str, country: str | None
) -> None:
    """192.168.1.1 in Australia, as one public database says, would open a filter by country."""
    assert GeoIp(str(DATA / file)).country_of(source_ip) == country


def test_a_flat_layout_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Free databases carry `country_code` at the top; records that are no objects count as unknown."""
    table = geoip.DatabaseFile(DATA / "GeoIP2-Country-Test.mmdb")
    for record, country in (
        ({"country_code": "ES"}, "ES"),
        ({"country": {"iso_code": "PT"}}, "PT"),
        ({"country": "ES"}, None),
        ({}, None),
        (None, None),
    ):
        monkeypatch.setattr(table, "_reader", FixedReader(record))
        assert table.country_of("81.2.69.160") == country


class FixedReader:
    """A reader of a made-up database: the packages to write one are not worth a dependency."""

    def __init__(self, record: object) -> None:
        self._record = record

    def get(self, source_ip: str) -> object:
        return self._record


def test_an_ipv6_address_in_an_ipv4_database_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """maxminddb raises then: the call must be refused by the filter, not by a 500."""

    class V4Only:
        def get(self, source_ip: str) -> object:
            raise ValueError("IPv6 address in an IPv4-only database")

    table = geoip.DatabaseFile(DATA / "GeoIP2-Country-Test.mmdb")
    monkeypatch.setattr(table, "_reader", V4Only())
    assert table.country_of("2001:218::1") is None


def test_without_a_file_the_built_in_table_answers() -> None:
    """A fresh machine has no database file, and a filter by country must work on it."""
    table = GeoIp("")
    assert table.country_of("80.58.61.250") == "ES"
    assert table.country_of("2800:3f0:4001::") == "AR"
    assert table.country_of("192.168.1.1") is None
    assert table.missing() is None


def test_a_replaced_file_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Operators update their database monthly, without restarting call-control; answers are forgotten too."""
    monkeypatch.setattr(geoip, "RECHECK_S", 0.0)
    path = tmp_path / "countries.mmdb"
    table = GeoIp(str(path))
    assert table.country_of("81.2.69.160") is None
    assert table.missing() is not None
    shutil.copy(DATA / "GeoIP2-Country-Test.mmdb", path)
    assert table.country_of("81.2.69.160") == "GB"
    assert table.missing() is None


def test_a_broken_file_leaves_the_last_good_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy caught halfway must not refuse every client that has a filter."""
    monkeypatch.setattr(geoip, "RECHECK_S", 0.0)
    path = tmp_path / "countries.mmdb"
    shutil.copy(DATA / "GeoIP2-Country-Test.mmdb", path)
    table = GeoIp(str(path))
    assert table.country_of("81.2.69.160") == "GB"
    path.write_bytes(b"half a file")
    os.utime(path, ns=(1, 1))
    assert table.country_of("81.2.69.160") == "GB"


FILTER = c.client(ip_filter=True, geoip_countries=["ES"])


async def test_a_country_or_a_source_lets_the_caller_in() -> None:
    """Section 4.4: an authorized source OR an allowed country; IPv6 networks work."""
    by_country = await decided({"source_ip": "80.58.61.250"}, FILTER, country_of=lambda _: "ES")
    by_source = await decided({"source_ip": "2001:db8::5"}, FILTER, c.source("2001:db8::/32"))
    mapped = await decided({"source_ip": "::ffff:192.0.2.9"}, FILTER, c.source("192.0.2.0/24"))
    assert (by_country.code, by_source.code, mapped.code) == ("allow", "allow", "allow")
    assert by_source.trace[3].detail == "2001:db8::5 is in 2001:db8::/32"


async def test_another_country_is_refused_and_the_country_is_told() -> None:
    """The operator must see why: the country that was found."""
    decision = await decided({"source_ip": "81.2.69.160"}, FILTER, country_of=lambda _: "GB")
    assert decision.code == "source_not_allowed"
    assert decision.trace[-1].detail == "source_not_allowed: 81.2.69.160, country GB"
