"""The database comes back from last night's backup: what happened since is told again, and counts once.

docs/runbooks/backup-and-restore.md is this story by hand; deploy/backup and deploy/restore are its commands
in containers (tests/containers/test_restore.py).
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from landline.chassis.embedded.binaries import postgres_bin
from landline.chassis.embedded.postgres import Postgres

from tests.scenarios.conftest import SHORT_LEASES
from tests.support.books import assert_books_hold, command
from tests.support.stack import Stack
from tests.support.stores import kind
from tests.support.world import MOBILE, Home, Platform, until


class Night:
    """A platform on a Postgres of its own, with a dump of it."""

    def __init__(self, folder: Path) -> None:
        self.postgres = Postgres(
            folder / "pg",
            secrets.token_urlsafe(16),
            folder / "pg.log",
            kind=kind(),
            settings={"fsync": "off"},
        )
        self.postgres.start()
        env = {**SHORT_LEASES, "LANDLINE_PG_DSN": self.postgres.url()}
        self.stack = Stack(folder / "run", env=env)
        self.dump = folder / "landline.dump"

    def back_up(self) -> None:
        """pg_dump of a running platform."""
        self._run(
            "pg_dump", "--format=custom", "--create", f"--file={self.dump}", self.postgres.url("landline")
        )

    def restore(self) -> None:
        """The database of last night in place of today's; services are stopped."""
        words = ["--create", "--clean", "--if-exists", "--exit-on-error"]
        self._run("pg_restore", *words, f"--dbname={self.postgres.url()}", str(self.dump))

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [postgres_bin(kind()) / program, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """Stopped at the end, whatever happened."""
    night = Night(tmp_path_factory.mktemp("night"))
    try:
        yield night
    finally:
        night.stack.stop()
        night.postgres.stop()


@pytest.fixture(scope="module")
def platform(night: Night) -> Platform:
    """The same, seen by its operator."""
    return Platform(night.stack.start())


def test_with_redis_kept_the_day_is_read_again_from_the_streams(night: Night, platform: Platform) -> None:
    """No call is charged twice, none is lost, and balances follow the ledger although it went back."""
    home = platform.brand("Kept").home(billing_method="prepaid", balance="10.00")
    postpaid = platform.brand("Postpaid").home()
    edge = platform.edge()
    before = [edge.talk(each, MOBILE, 1) for each in (home, postpaid)]
    _recorded(home, 1)
    _recorded(postpaid, 1)
    night.back_up()
    after = [edge.talk(home, MOBILE, seconds) for seconds in (1, 2)] + [edge.talk(postpaid, MOBILE, 1)]
    _recorded(home, 3)
    over_night = edge.admit(home, MOBILE)
    answered_at = over_night.answered()
    home.top_up("5.00", key="lost-with-the-day")

    assert night.stack.stop() == 0
    night.restore()
    night.stack.start()
    platform.wait_served()
    assert len(home.records()) == 1, "last night's"
    _succeeds(night.stack, "billing", "replay")
    _succeeds(night.stack, "call_control", "rebuild", "--after-restore")

    over_night.ended(answered_at + 4)
    _recorded(home, 4)
    prices = sorted(record["price"] for record in home.records())
    assert prices == ["0.01", "0.01", "0.02", "0.04"]
    assert {record["id"] for record in home.records()} == {
        before[0].id, *(call.id for call in after[:2]), over_night.id,
    }  # fmt: skip
    assert sorted(posting["amount"] for posting in home.postings(kind="charge")) == [
        "-0.01", "-0.01", "-0.02", "-0.04",
    ]  # fmt: skip
    usage = home.settled()
    assert (usage["settled"], usage["day_spend"], usage["held"]) == ("9.92", "0.08", "0.00")
    assert len(postpaid.records()) == 2
    assert postpaid.settled()["settled"] == "-0.02"
    home.top_up("5.00", key="given-again")
    assert home.settled()["settled"] == "14.92"
    assert_books_hold(night.stack)


def test_with_redis_lost_too_the_edges_tell_what_they_remember(night: Night, platform: Platform) -> None:
    """Tickets settle the calls since the backup that an edge still has; the older ones count once."""
    home = platform.brand("Lost").home(billing_method="prepaid", balance="10.00")
    edge = platform.edge()
    before = edge.talk(home, MOBILE, 1)
    _recorded(home, 1)
    night.back_up()
    after = edge.talk(home, MOBILE, 2)
    _recorded(home, 2)
    assert night.stack.stop() == 0
    night.restore()
    shutil.rmtree(night.stack.data / "valkey")
    night.stack.start()
    platform.wait_served()
    until(edge.is_known, "edges are known again")
    until(lambda: home.usage()["settled"] == "9.99", "balances are those of last night")
    for call in (before, after, after):
        call.ended_again()
    _recorded(home, 2)
    _succeeds(night.stack, "billing", "replay")
    assert sorted(posting["amount"] for posting in home.postings(kind="charge")) == ["-0.01", "-0.02"]
    assert home.settled()["settled"] == "9.97"
    until(lambda: home.usage()["day_spend"] == "0.03", "the day's spend is that of the records")
    assert_books_hold(night.stack)


def _recorded(home: Home, count: int) -> None:
    """So many records and no waiting charge."""
    until(lambda: len(home.records()) == count, f"{count} records")
    home.settled()


def _succeeds(stack: Stack, service: str, *words: str) -> None:
    done = command(stack, service, *words)
    assert done.returncode == 0, f"{service} {words}: {done.stdout}\n{done.stderr}"
