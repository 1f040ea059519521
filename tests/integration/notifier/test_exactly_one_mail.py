"""One mail per threshold, address, client and local day, whatever is redelivered, killed or run twice."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import msgspec
import pytest
from landline.chassis.settings import Settings
from landline.contracts.envelope import fields, unseal
from landline.contracts.notifier.events import NotificationSent
from landline.contracts.streams import CONFIG, MESSAGES, calls
from landline.kernel.clock import SystemClock
from notifier.main import work

from tests.integration.notifier.office import Casa, Office, entry, until
from tests.integration.notifier.smtp_server import HOLD, SmtpServer


async def test_a_threshold_reached_is_one_mail_to_each_address_in_the_clients_language(
    office: Office,
) -> None:
    """The main path: what the client reads, in whose name, and a log that says it was sent."""
    casa = Casa(emails=("ana@example.net", "luis@example.net"))
    await office.learn(casa.brand_event(), casa.client_event())
    await office.hear(casa.crossed(80), casa.crossed(100))
    assert await office.teller.tell_all() == 4
    await office.send_all()
    assert await office.rows(casa) == ["sent"] * 4
    mail = next(m for m in office.server.to("ana@example.net") if "80" in m["Subject"])
    assert mail["Subject"] == "Marca Uno: Casa García ha consumido el 80 % de su límite diario"
    assert mail["From"] == "Marca Uno <no-reply@landline.invalid>"
    assert mail.get_content_type() == "multipart/alternative"
    text, html = (mail.get_body([kind]) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert "10,00\xa0€" in text.get_content()
    assert "<strong>Casa García</strong>" in html.get_content()
    assert office.server.connections == 1


async def test_ten_deliveries_of_ten_events_of_one_fact_are_one_mail(office: Office) -> None:
    """At-least-once streams repeat; call-control may even make the event twice. People must not see it."""
    casa = Casa()
    await office.learn(casa.brand_event(), casa.client_event())
    for _ in range(10):
        await office.hear(*(casa.crossed(80) for _ in range(10)))
        await office.teller.tell_all()
        await office.send_all()
    assert len(office.server.to("ana@example.net")) == 1
    assert await office.rows(casa) == ["sent"]


@pytest.mark.parametrize(
    ("second", "mails"),
    [
        ({"threshold": 80, "day": "2026-11-22"}, 1),
        ({"threshold": 100, "day": "2026-11-22"}, 2),
        ({"threshold": 80, "day": "2026-11-23"}, 2),
    ],
)
async def test_another_threshold_or_day_is_another_mail(
    office: Office, second: dict[str, Any], mails: int
) -> None:
    """Once a day and threshold: not once a lifetime, not twice a day."""
    casa = Casa()
    await office.learn(casa.brand_event(), casa.client_event())
    await office.hear(casa.crossed(80), casa.crossed(**second))
    await office.teller.tell_all()
    await office.send_all()
    assert len(office.server.to("ana@example.net")) == mails


async def test_an_address_added_after_the_fact_gets_no_mail_about_the_past(office: Office) -> None:
    """A fact is told to the addresses of its moment; a redelivery a day later must not wake a new reader."""
    casa = Casa()
    await office.learn(casa.brand_event(), casa.client_event())
    await office.hear(casa.crossed())
    await office.teller.tell_all()
    await office.learn(casa.client_event(version=2, daily_usage_emails=["new@example.net"]))
    await office.hear(casa.crossed())
    assert await office.teller.tell_all() == 0
    assert await office.rows(casa, "address") == ["ana@example.net"]


async def test_eight_senders_and_four_tellers_at_once_send_each_mail_once(office: Office) -> None:
    """Scaling out must not multiply mails."""
    casas = [Casa(emails=(f"a{n}@example.net", f"b{n}@example.net")) for n in range(10)]
    await office.learn(*(c.brand_event() for c in casas), *(c.client_event() for c in casas))
    events = [c.crossed(t) for c in casas for t in (80, 100)]
    await asyncio.gather(*(office.hear(*events) for _ in range(4)))
    await asyncio.gather(*(office.teller.tell_all() for _ in range(4)))
    await asyncio.gather(*(office.send_all() for _ in range(8)))
    ids = [mail["Message-ID"] for mail in office.server.taken]
    assert len(ids) == len(set(ids)) == 40


async def test_a_fact_waits_for_its_client_and_blocks_nobody(office: Office) -> None:
    """The streams are independent: the crossing may overtake the client's creation. It must not be lost."""
    late, known = Casa(emails=("late@example.net",)), Casa(emails=("known@example.net",))
    await office.learn(known.brand_event(), known.client_event(), late.brand_event())
    await office.hear(late.crossed(), known.crossed())
    await office.teller.tell_all()
    await office.send_all()
    assert [m["To"] for m in office.server.taken] == ["known@example.net"]
    office.clock.advance_s(30 * 24 * 3600)
    await office.learn(late.client_event())
    await office.teller.tell_all()
    await office.send_all()
    assert [m["To"] for m in office.server.taken] == ["known@example.net", "late@example.net"]


@pytest.mark.parametrize("emails", [[], None])
async def test_a_client_without_addresses_gets_no_mail_and_leaves_no_open_fact(
    office: Office, emails: list[str] | None
) -> None:
    """No address is a choice (domain section 2), not a fault to be retried."""
    casa = Casa()
    await office.learn(casa.brand_event(), casa.client_event(daily_usage_emails=emails))
    await office.hear(casa.crossed())
    assert await office.teller.tell_all() == 0
    assert [r["state"] for r in await office.fetch("select state from facts")] == ["told"]


async def test_a_deleted_client_is_told_nothing_more(office: Office) -> None:
    """Its tombstone has no addresses; an older event that comes late does not bring them back."""
    casa = Casa()
    await office.learn(casa.brand_event(), casa.client_event(version=3, deleted=True))
    await office.learn(casa.client_event(version=2))
    await office.hear(casa.crossed())
    assert await office.teller.tell_all() == 0
    assert await office.fetch("select 1 from facts where state = 'waiting'") == []


DAMAGED = [
    {"day": "2026-13-45"},
    {"day": "soon"},
    {"threshold": "many"},
]


@pytest.mark.parametrize("damage", DAMAGED)
async def test_a_damaged_event_fails_as_its_own_fault(office: Office, damage: dict[str, Any]) -> None:
    """Only then does the consumer put it aside; taken for trouble of the store, it would block for ever."""
    event = unseal(Casa().crossed())
    data = msgspec.json.decode(event.data) | damage
    raw = msgspec.json.encode(msgspec.structs.replace(event, data=msgspec.Raw(msgspec.json.encode(data))))
    with pytest.raises(ValueError, match=r".+"):
        await office.calls([entry(calls(17), raw)])


async def test_other_types_of_the_calls_streams_are_left_alone(office: Office) -> None:
    """A call's end is no mail, and must not even be decoded."""
    event = msgspec.structs.replace(unseal(Casa().crossed()), type="call.ended.v1", data=msgspec.Raw(b"{}"))
    await office.calls([entry(calls(17), msgspec.json.encode(event))])
    assert await office.fetch("select 1 from facts") == []


async def test_two_whole_notifiers_over_real_streams_send_one_mail_each(
    office: Office, settings: Settings, redis: Any
) -> None:
    """Everything together, twice: consumers, tellers, senders, publisher, over 64 streams."""
    casas = [Casa(emails=(f"whole{n}@example.net",)) for n in range(8)]
    for n, casa in enumerate(casas):
        for _ in range(10):
            await redis.xadd(calls(n * 8), fields(casa.crossed(80)))
        await redis.xadd(CONFIG, fields(casa.client_event()))
        await redis.xadd(CONFIG, fields(casa.brand_event()))
    stop = asyncio.Event()
    mine = settings.model_copy(update={"smtp_url": office.server.url, "pg_pool_size": 5})
    works = [asyncio.create_task(work(mine, stop)) for _ in range(2)]

    async def all_done() -> bool:
        rows = await office.fetch("select count(*) as n from notifications where state = 'sent'")
        groups = (
            [g for k in range(64) for g in await redis.xinfo_groups(calls(k))] if rows[0]["n"] == 8 else []
        )
        return bool(groups) and all(g["pending"] == 0 and not g["lag"] for g in groups)

    try:
        await until(all_done)
        await until(lambda: redis.xlen(MESSAGES))
    finally:
        stop.set()
        await asyncio.gather(*works)
    assert sorted(m["To"] for m in office.server.taken) == [f"whole{n}@example.net" for n in range(8)]
    sent = [unseal(e[b"event"]).read(NotificationSent).address for _, e in await redis.xrange(MESSAGES)]
    assert set(sent) <= {f"whole{n}@example.net" for n in range(8)}


async def test_killed_between_data_and_commit_the_mail_is_uncertain_and_sent_once_more(
    office: Office, settings: Settings, smtp_server: SmtpServer
) -> None:
    """kill -9 of a real process while the server has the message: two copies at most, one Message-ID."""
    casa = Casa(emails=("killed@example.net",))
    await office.learn(casa.brand_event(), casa.client_event())
    await office.hear(casa.crossed())
    await office.teller.tell_all()
    smtp_server.at_data["killed@example.net"] = [HOLD]
    env = {
        **os.environ,
        "LANDLINE_PG_URL": settings.pg_url,
        "LANDLINE_REDIS_URL": settings.redis_url,
        "LANDLINE_SMTP_URL": smtp_server.url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from notifier.main import cli; cli(['consume'])", env=env,
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await asyncio.wait_for(smtp_server.arrived.wait(), 20)
        assert await office.rows(casa) == ["sending"]
    finally:
        process.kill()
        await process.wait()
    office.clock.value_ms = SystemClock().now_ms()
    assert await office.recover() == 0  # the deadline counts, not the haste: the server may still answer
    office.clock.advance_s(700)
    assert await office.recover() == 1
    assert await office.rows(casa, "state, uncertain_count") == [("uncertain", 1)]
    office.clock.advance_s(60)
    await office.send_all()
    assert await office.rows(casa) == ["sent"]
    first, second = smtp_server.taken
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]
    office.clock.advance_s(90_000)
    await office.recover()
    await office.send_all()
    assert len(smtp_server.taken) == 2
