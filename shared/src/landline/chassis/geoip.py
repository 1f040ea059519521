"""The country of an address: the operator's .mmdb, else the table that comes with the `iptocc` package.

Private, loopback and other non-global addresses have no country, whatever a database says of them (one
public database puts 192.168.1.1 in Australia: platform-notes section 2C). call-control filters by it, and
provisioning tells operators what it would say: both must answer the same.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from time import monotonic
from typing import Protocol

import maxminddb
import structlog

CACHED_ADDRESSES = 65_536
RECHECK_S = 1.0
log = structlog.get_logger(__name__)


def address(text: str) -> IPv4Address | IPv6Address:
    """The address; IPv4 inside IPv6 (`::ffff:192.0.2.1`) is the IPv4 one. ValueError for no address."""
    found = ip_address(text.partition("%")[0])
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


class Table(Protocol):
    """Country of a global address, as ISO 3166 alpha-2."""

    def country_of(self, source_ip: str) -> str | None: ...


class BuiltInTable:
    """iptocc: the country of RIR allocation, about 95 % like the big databases; no licence to sign."""

    def country_of(self, source_ip: str) -> str | None:
        """Country of a global address, or None."""
        import iptocc

        found = iptocc.country_code(source_ip)
        return None if found is None else str(found)


class DatabaseFile:
    """An .mmdb of either layout: `country.iso_code` (GeoIP2, GeoLite2) or a flat `country_code`."""

    def __init__(self, path: Path) -> None:
        """Raises OSError or maxminddb.InvalidDatabaseError for a file that is none."""
        self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)

    def country_of(self, source_ip: str) -> str | None:
        """Country of a global address, or None."""
        try:
            record = self._reader.get(source_ip)
        except ValueError:  # an IPv6 address asked of an IPv4 database
            return None
        except Exception as error:  # a damaged place in the file raises whatever the reader stumbles over
            log.warning("country database damaged", error=repr(error)[:200])
            return None
        if not isinstance(record, dict):
            return None
        country = record.get("country")
        code = record.get("country_code") or (country.get("iso_code") if isinstance(country, dict) else None)
        return str(code) if code else None


class GeoIp:
    """Countries of addresses, remembered; a replaced file is read anew within a second of its next use.

    A file that is missing or broken leaves the last good one in force; with none, nothing has a country, so
    that a filter by country refuses instead of letting everybody in.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._table: Table | None = BuiltInTable() if self._path is None else None
        self._seen: tuple[int, int] | None = None
        self._checked_at = float("-inf")
        self._cached = lru_cache(maxsize=CACHED_ADDRESSES)(self._look_up)

    def country_of(self, source_ip: str) -> str | None:
        """ISO 3166 alpha-2, or None: unknown, private, or no table."""
        if self._path is not None and monotonic() - self._checked_at > RECHECK_S:
            self._reload(self._path)
        return self._cached(source_ip)

    @property
    def source(self) -> str:
        """Who says so: `built-in`, or the name of the operator's file."""
        return "built-in" if self._path is None else self._path.name

    def missing(self) -> str | None:
        """For readiness: None, or what is wrong with the operator's file."""
        if self._path is not None:
            self._reload(self._path)
        return None if self._table is not None else f"no readable country database at {self._path}"

    def _look_up(self, source_ip: str) -> str | None:
        found = address(source_ip)
        if self._table is None or not found.is_global or found.is_multicast:
            return None
        if isinstance(found, IPv6Address):
            return self._table.country_of(found.compressed)
        return self._table.country_of(str(found))

    def _reload(self, path: Path) -> None:
        self._checked_at = monotonic()
        try:
            status = path.stat()
            now = (status.st_mtime_ns, status.st_size)
            if now == self._seen:
                return
            self._seen = now
            self._table = DatabaseFile(path)
        except (OSError, maxminddb.InvalidDatabaseError) as error:
            log.warning("country database not loaded", error=str(error)[:200])
            return
        self._cached.cache_clear()
