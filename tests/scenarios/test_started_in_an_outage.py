"""A worker that starts while Redis is away decides from this host's copy of the facts (architecture 3.2).

Valkey is killed for real and stays away; the worker is a new one, which has never read anything from it."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from call_control.adapters import read_model_keys as keys
from call_control.adapters.facts_copy import CopyFile, FactsCopy, NotBuilt, copies
from call_control.consumers.copying import copy_if_due
from call_control.main import app
from landline.contracts.call_control.events import CallEnded
from landline.kernel.clock import SetClock, SystemClock

from tests.support import configured as c
from tests.support.asgi import serving
from tests.support.inbound_story import NEXT_NUMBER, PROVIDER_IP, House, at_home
from tests.support.outbound_story import API, Story, story_settings
from tests.support.stack import free_port
from tests.support.stores import TestStores

NUMBERS = {"home": "600123123", "abroad": "0033123456789"}
EMERGENCY = c.row(
    "emergency_number", "019a0000-0000-7000-8000-000000000e01", {"number": "112", "country": "ES"}
)
PRICES = [("+34", "0.60"), ("+346", "1.20"), ("+33", "0.60")]


@pytest_asyncio.fixture(loop_scope="session")
async def house(stores: TestStores, tmp_path: Path) -> AsyncIterator[House]:
    """A brand ready to call and to be called; the read model counts as built."""
    async with at_home(stores.redis_url, tmp_path) as told:
        await told.story.configure(EMERGENCY, c.deck(tmp_path / "rates", 2, PRICES))
        await told.story.parts.redis.set(keys.READY, "{}")
        yield told


async def copied(house: House, outage_policy: str = "deny", **client: Any) -> CopyFile:
    """The client's policy, and a copy that knows of it."""
    await house.story.configure(c.client(3, max_calls=0, outage_policy=outage_policy, **client))
    return await house.story.parts.copy.write(SystemClock().now_ms())


@asynccontextmanager
async def restarted(house: House, stores: TestStores, **more: Any) -> AsyncIterator[House]:
    """A worker that starts with Redis away, which comes back at the end."""
    story = house.story
    settings = story_settings(stores.redis_url, story.parts.settings.data, story.clock, **more)
    made = app(settings)
    stores.valkey.kill()
    try:
        async with serving(made, {"Authorization": f"Bearer {c.KEY}"}) as http:
            yield House(Story(made, http, story.clock))
    finally:
        stores.valkey.start()


@pytest.mark.parametrize(
    ("outage_policy", "goes_out"), [("deny", set()), ("domestic", {"home"}), ("allow", {"home", "abroad"})]
)
async def test_a_worker_that_knows_nothing_decides_by_the_clients_policy(
    house: House, stores: TestStores, outage_policy: str, goes_out: set[str]
) -> None:
    """Without the copy every call of every brand is a 503 until Redis is back."""
    await copied(house, outage_policy)
    async with restarted(house, stores) as other:
        for name, dialled in NUMBERS.items():
            answer = await other.story.post("/calls", c.call(request_user=dialled))
            if name in goes_out:
                assert answer.json()["decision"] == "allow", name
                assert answer.json()["routes"], name
            else:
                assert (answer.status_code, answer.json()["code"]) == (503, "counters_unavailable")
        emergency = await other.story.call(request_user="112")
        assert (emergency["decision"], emergency["call_class"]) == ("allow", "emergency")


async def test_what_the_copy_does_not_know_is_not_denied_for_good(house: House, stores: TestStores) -> None:
    """A device made after the copy was taken: 503, again or elsewhere; `unknown_device` would be a lie."""
    await copied(house, "allow")
    async with restarted(house, stores) as other:
        asked = {"auth_user": "casa9", "from_user": "casa9"}
        assert (await other.story.post("/calls", c.call(**asked))).status_code == 503
        wrong = await other.story.call(auth_realm="elsewhere.example", from_domain="elsewhere.example")
        assert wrong["reason"] == "unknown_domain"


async def test_calls_of_such_a_worker_are_settled_when_redis_is_back(
    house: House, stores: TestStores
) -> None:
    """Kept and settled afterwards (domain 4): once, with the price of the deck that was there."""
    await copied(house, "domestic")
    async with restarted(house, stores) as other:
        call = await other.story.call()
        house.story.clock.advance_s(90)
        ended = {"answered_at": house.story.now_s - 90, "ticket": call["ticket"]}
        assert await other.story.report(call, "ended", **ended) == 204
    [told] = await settled(house)
    assert (told.call.call_id, told.duration_s, told.charge_micros) == (call["call_id"], 90, 1_800_000)
    await house.nothing_left()


async def settled(house: House) -> list[CallEnded]:
    """Ends told, once nothing waits on disk any more."""
    for _ in range(100):
        if len(house.story.parts.spool) == 0:
            return list((await house.ended()).values())
        await asyncio.sleep(0.1)
    raise AssertionError("reports still wait")


@pytest.mark.parametrize("warm", [True, False], ids=["warm worker", "cold worker"])
async def test_a_call_from_outside_reaches_its_device_without_counters(
    house: House, stores: TestStores, *, warm: bool
) -> None:
    """It carries no money: refusing it would make a home unreachable for nothing. Counted when it ends."""
    uri = await house.register()
    await copied(house, "deny")
    async with restarted(house, stores) as cold:
        worker = house if warm else cold
        call = await worker.arrives()
        assert [each["uri"] for each in call["targets"][0]["contacts"]] == [uri]
        house.story.clock.advance_s(60)
        ended = {"answered_at": house.story.now_s - 60, "ticket": call["ticket"]}
        assert await worker.story.report(call, "ended", **ended) == 204
    [told] = await settled(house)
    assert (told.call.direction, told.call.outage, told.duration_s) == ("inbound", True, 60)
    assert (told.charge_micros, told.call.tariff) == (0, None)
    await house.nothing_left()


async def test_calls_that_lead_to_calls_wait_for_their_counters(house: House, stores: TestStores) -> None:
    """The edge reports the first call of a dialog only: the others of an outage could never be charged."""
    await house.register()
    await house.story.configure(c.call_forward("unconditional", "+34600123123"))
    await copied(house, "allow")
    async with restarted(house, stores) as other:
        forwarded = {"direction": "inbound", "source_ip": PROVIDER_IP, "auth_user": None, "auth_realm": None}
        body = c.call(**forwarded, from_user="34911222333", from_domain="x.example", request_user=c.NUMBER)
        assert (await other.story.post("/calls", body)).status_code == 503
        on_net = await other.story.post("/calls", c.call(request_user="00" + NEXT_NUMBER[1:]))
        assert on_net.status_code == 503


async def test_credentials_are_there_for_an_edge_that_asks(house: House, stores: TestStores) -> None:
    """Without its digest no device could call: the copy has it, sealed, and opens it as Redis's row."""
    from landline.chassis.secrets import Keyring

    ring = Keyring.of(house.story.parts.settings)
    sealed = {
        f"{kind}": ring.seal(f"{kind}-in-clear", f"device:{c.DEVICE}") for kind in ("ha1", "ha1_sha256")
    }
    await house.story.configure(c.device(version=7, **sealed))
    copy = await copied(house)
    assert b"in-clear" not in copy.path.read_bytes()
    assert stat.S_IMODE(copy.path.stat().st_mode) == 0o600
    async with restarted(house, stores) as other:
        answer = await other.story.http.get(
            f"{API}/credentials", params={"user": "casa1", "domain": c.DOMAIN}
        )
        assert answer.json()["ha1"] == "ha1-in-clear"


def spoilt(copy: CopyFile) -> None:
    """One byte in the middle is another."""
    raw = bytearray(copy.path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    copy.path.write_bytes(raw)


def aged(copy: CopyFile) -> None:
    """Taken two days ago."""
    copy.path.rename(copy.path.with_name(f"{copy.taken_ms - 172_800_000}-{copy.sha256}.sqlite"))


@pytest.mark.parametrize(
    ("harm", "said"), [(spoilt, "not what its name says"), (aged, "more than 86400 s ago"), (None, "no copy")]
)
async def test_a_copy_that_is_damaged_or_old_is_refused_and_said(
    house: House, stores: TestStores, harm: Callable[[CopyFile], None] | None, said: str
) -> None:
    """Deciding by what may be wrong is worse than 503; `readyz` tells the operator which of the two it is."""
    copy = await copied(house, "allow")
    for each in copies(house.story.parts.copy.folder):
        if harm is None or each.path != copy.path:
            each.path.unlink()
    if harm is not None:
        harm(copy)
    async with restarted(house, stores) as other:
        assert (await other.story.post("/calls", c.call())).status_code == 503
        ready = await other.story.http.get("/readyz")
        assert ready.status_code == 503
        assert said in ready.json()["components"]["facts_copy"]


async def test_the_copy_before_a_damaged_one_is_used(house: House, stores: TestStores) -> None:
    """Two are kept: a disk that spoils the newest takes five minutes of changes, not all calls."""
    await copied(house, "allow")
    await asyncio.sleep(0.01)
    newest = await house.story.parts.copy.write(SystemClock().now_ms())
    await house.story.parts.copy.write(SystemClock().now_ms())
    kept = copies(house.story.parts.copy.folder)
    assert [each.path for each in kept[1:]] == [newest.path]
    spoilt(kept[0])
    async with restarted(house, stores) as other:
        assert (await other.story.call())["decision"] == "allow"
        assert (await other.story.http.get("/readyz")).json()["components"]["facts_copy"] is None


async def test_one_process_of_a_host_takes_the_copy_when_it_is_due(house: House) -> None:
    """Each takes seconds of a core at 100,000 clients: not every process, and not while another one does."""
    copy, clock = house.story.parts.copy, SetClock(SystemClock().now_ms())
    both = await asyncio.gather(*(copy_if_due(copy, clock, 300) for _ in range(2)))
    assert sorted(both) == [False, True]
    assert not await copy_if_due(copy, clock, 300)
    clock.advance_s(300)
    assert await copy_if_due(copy, clock, 300)
    clock.advance_s(-86_400)
    assert await copy_if_due(copy, clock, 300), "a clock that was set back must not stop copies for a day"


async def test_an_emptied_redis_does_not_replace_a_good_copy(house: House) -> None:
    """The read model is not built: a copy of nothing would take every client's facts with it."""
    good = await copied(house)
    await house.story.parts.redis.delete(keys.READY)
    with pytest.raises(NotBuilt):
        await house.story.parts.copy.write(SystemClock().now_ms())
    assert [each.path for each in copies(house.story.parts.copy.folder)] == [good.path]


async def test_a_copy_that_would_be_too_large_is_not_taken(house: House) -> None:
    """A full disk would stop the spool, which has money in it."""
    import sqlite3

    parts = house.story.parts
    small = FactsCopy(parts.batch, parts.settings.data / "small", 8192)
    with pytest.raises(sqlite3.Error, match="full"):
        await small.write(1)
    assert list(small.folder.iterdir()) == []


@contextmanager
def serving_process(stores: TestStores, data: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`call-control serve` as its own process."""
    env = {
        **os.environ,
        "LANDLINE_REDIS_URL": stores.redis_url,
        "LANDLINE_DATA": str(data),
        "LANDLINE_TICKET_KEY": "ticket-key-of-tests-0123456789abcdef0",
        "LANDLINE_INTERNAL_KEY": "internal-key-of-tests-0123456789abcdef",
    }
    command = [sys.executable, "-m", "call_control.main", "serve", "--port", str(port)]
    with (data / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=data)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def asked(port: int, body: dict[str, Any]) -> httpx.Response:
    """`POST /calls`, once the process answers."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with suppress(httpx.TransportError):
            url = f"http://127.0.0.1:{port}{API}/calls"
            return httpx.post(url, json=body, headers={"Authorization": f"Bearer {c.KEY}"}, timeout=10)
        time.sleep(0.1)
    raise AssertionError("the process does not answer")


async def test_killed_and_started_again_with_redis_away(house: House, stores: TestStores) -> None:
    """kill -9 of Valkey and of the worker: the new process admits an emergency and a domestic call."""
    await copied(house, "domestic")
    data = house.story.parts.settings.data
    port = free_port()
    with serving_process(stores, data, port) as first:
        before = await asyncio.to_thread(asked, port, c.call())
        assert before.json()["decision"] == "allow"
        stores.valkey.kill()
        first.kill()
        first.wait(10)
    try:
        with serving_process(stores, data, port):
            for dialled in ("112", "600123123"):
                answer = await asyncio.to_thread(asked, port, c.call(request_user=dialled))
                assert answer.json()["decision"] == "allow", answer.text
            abroad = await asyncio.to_thread(asked, port, c.call(request_user=NUMBERS["abroad"]))
            assert abroad.status_code == 503
    finally:
        stores.valkey.start()
