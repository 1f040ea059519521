"""What a mail server can do to a mail, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from landline.contracts.envelope import unseal
from landline.contracts.notifier.events import NotificationFailed, NotificationSent
from landline.kernel.ids import new_id
from notifier.adapters.mail import BadSmtpUrl, options
from notifier.domain.delivery import Result

from tests.integration.notifier.office import NOW_MS, Casa, Office
from tests.integration.notifier.smtp_server import CLOSE, HOLD, running_smtp_server

ANA = "ana@example.net"


async def told(office: Office, *emails: str) -> Casa:
    """A client with a mail to each address in the outbox, due now."""
    casa = Casa(emails=emails or (ANA,))
    await office.learn(casa.brand_event(), casa.client_event())
    await office.hear(casa.crossed())
    await office.teller.tell_all()
    return casa


async def events(office: Office) -> list[Any]:
    """The (address, type) of what waits in the event outbox."""
    sealed = [
        unseal(bytes(row["event"])) for row in await office.fetch("select event from outbox order by id")
    ]
    kinds: dict[str, Any] = {k.TYPE: k for k in (NotificationSent, NotificationFailed)}
    return [(e.read(kinds[e.type]).address, e.type.split(".")[1]) for e in sealed]


@pytest.mark.parametrize("stage", ["at_rcpt", "at_data"])
async def test_a_temporary_refusal_is_tried_again_when_its_time_comes(office: Office, stage: str) -> None:
    """451 is greylisting or a full queue: sent once it passes, never before, and only once."""
    casa = await told(office)
    getattr(office.server, stage)[ANA] = ["451 4.7.1 greylisted, come back"]
    await office.send_all()
    ((state, attempts, due, error),) = await office.rows(casa, "state, attempts, next_attempt_at, error")
    assert (state, attempts, error) == ("pending", 1, "451 4.7.1 greylisted, come back")
    assert 22_500 <= due.timestamp() * 1000 - NOW_MS <= 37_500
    office.clock.advance_s(20)
    await office.send_all()
    assert office.server.to(ANA) == []
    office.clock.advance_s(20)
    await office.send_all()
    assert await office.rows(casa, "state, attempts, error") == [("sent", 2, None)]
    assert len(office.server.to(ANA)) == 1
    assert await events(office) == [(ANA, "sent")]


async def test_of_two_addresses_the_bad_one_fails_and_the_good_one_gets_its_mail(office: Office) -> None:
    """One wrong address must not cost the others their mail, nor be tried for ever."""
    casa = await told(office, ANA, "gone@example.net", "not an address")
    office.server.at_rcpt["gone@example.net"] = ["550 5.1.1 no such user"]
    await office.send_all()
    assert await office.rows(casa, "address, state, error") == [
        (ANA, "sent", None),
        ("gone@example.net", "failed", "550 5.1.1 no such user"),
        ("not an address", "failed", "not a mail address"),
    ]
    assert len(office.server.accepted) == 1
    assert sorted(await events(office)) == [
        (ANA, "sent"), ("gone@example.net", "failed"), ("not an address", "failed"),
    ]  # fmt: skip
    office.clock.advance_s(90_000)
    await office.send_all()
    assert len(office.server.taken) == 1


async def test_a_connection_lost_after_the_message_is_tried_once_more_under_the_same_id(
    office: Office,
) -> None:
    """The server may have kept it: the reader's side can drop the copy by its Message-ID."""
    casa = await told(office)
    office.server.at_data[ANA] = [CLOSE]
    await office.send_all()
    assert await office.rows(casa, "state, uncertain_count") == [("uncertain", 1)]
    office.clock.advance_s(60)
    await office.send_all()
    assert await office.rows(casa) == ["sent"]
    assert len({mail["Message-ID"] for mail in office.server.taken}) == 1
    assert await events(office) == [(ANA, "sent")]


async def test_uncertain_twice_is_left_to_a_person(office: Office) -> None:
    """A server that always takes and never answers would otherwise fill a mailbox."""
    casa = await told(office)
    office.server.at_data[ANA] = [CLOSE, CLOSE]
    for _ in range(5):
        await office.send_all()
        office.clock.advance_s(7200)
    assert await office.rows(casa, "state, attempts, next_attempt_at") == [("uncertain", 2, None)]
    assert len(office.server.taken) == 2
    assert await events(office) == [(ANA, "failed")]


async def test_a_slow_server_that_answers_in_time_is_waited_for(office: Office) -> None:
    """Impatience is how mails double (RFC 1047)."""
    casa = await told(office)
    office.server.at_data[ANA] = [HOLD]
    sending = asyncio.create_task(office.send_all())
    await office.server.arrived.wait()
    assert await office.rows(casa) == ["sending"]
    office.server.release.set()
    await sending
    assert await office.rows(casa) == ["sent"]


async def test_an_answer_that_comes_after_the_deadline_still_saves_the_second_copy(office: Office) -> None:
    """The sender was only slow: its late "accepted" counts as long as nobody began again."""
    casa = await told(office)
    office.server.at_data[ANA] = [HOLD]
    sending = asyncio.create_task(office.send_all())
    await office.server.arrived.wait()
    office.clock.advance_s(11)
    assert await office.recover() == 1
    assert await office.rows(casa) == ["uncertain"]
    office.server.release.set()
    await sending
    assert await office.rows(casa) == ["sent"]
    office.clock.advance_s(7200)
    await office.send_all()
    assert len(office.server.taken) == 1


async def test_a_sender_that_died_before_the_message_leaves_nothing_uncertain(office: Office) -> None:
    """Nothing was handed over, so sending again cannot be a second copy."""
    casa = await told(office)
    mail = await office.mails.claim(office.clock.now_ms(), office.clock.now_ms() + 1000)
    assert mail is not None
    office.clock.advance_s(2)
    assert await office.recover() == 1
    assert await office.rows(casa, "state, uncertain_count") == [("pending", 0)]
    assert not await office.mails.hand_over(mail, office.clock.now_ms(), office.clock.now_ms() + 1000)
    office.clock.advance_s(60)
    await office.send_all()
    assert await office.rows(casa) == ["sent"]


async def test_a_server_that_is_away_costs_time_and_no_mail(office: Office) -> None:
    """Restarting a mail server is daily business."""
    casa = await told(office)
    async with running_smtp_server() as other:
        port = other.port
    office.server.port, kept = port, office.server.port
    outcome = await office.sender().send_next()
    assert outcome is not None
    assert (outcome.result, outcome.server_away) == (Result.TEMPORARY, True)
    office.server.port = kept
    office.clock.advance_s(60)
    await office.send_all()
    assert await office.rows(casa, "state, attempts") == [("sent", 2)]


@pytest.mark.parametrize("answer", ["421 4.3.2 shutting down", "535 5.7.8 who are you", "454 4.7.0 later"])
async def test_trouble_with_our_own_account_never_fails_a_mail(office: Office, answer: str) -> None:
    """A wrong password answers 5xx to everything: a whole day's mails would be given up in a minute."""
    casa = await told(office)
    office.server.at_rcpt[ANA] = [answer]
    outcome = await office.sender().send_next()
    assert outcome is not None
    assert outcome.server_away
    assert await office.rows(casa, "state, error") == [("pending", answer)]


async def test_a_connection_the_server_has_closed_meanwhile_is_replaced_at_once(office: Office) -> None:
    """Servers close idle connections; that is no failed try."""
    casa = await told(office)
    sender = office.sender()
    await sender.send_next()
    client = sender._transport._client  # type: ignore[attr-defined]
    assert client is not None
    client.transport.abort()
    await office.hear(casa.crossed(100))
    await office.teller.tell_all()
    await office.send_all(sender)
    assert await office.rows(casa, "state, attempts") == [("sent", 1), ("sent", 1)]
    assert office.server.connections == 2


async def test_a_running_sender_stops_when_told_and_finishes_the_mail_in_hand(office: Office) -> None:
    """A deployment must not make mails uncertain."""
    casa = await told(office)
    office.server.at_data[ANA] = [HOLD]
    stop = asyncio.Event()
    running = asyncio.create_task(office.sender().run(stop))
    await office.server.arrived.wait()
    stop.set()
    office.server.release.set()
    await asyncio.wait_for(running, 5)
    assert await office.rows(casa) == ["sent"]


async def test_a_template_that_no_longer_renders_is_replaced_and_the_log_says_so(office: Office) -> None:
    """A variable may go in an update. The mail goes; the operator reads why it looks plain."""
    casa = Casa()
    await office.learn(casa.brand_event(), casa.client_event())
    await office.fetch(
        "insert into notification_templates (id, brand_id, kind, name, is_default, contents, created_at,"
        " updated_at) values ($1, $2, 'daily_usage', 'ours', true, $3::jsonb, now(), now())",
        new_id(), casa.brand_id, json.dumps({"es": {"subject": "{{ no_more }}"}}),
    )  # fmt: skip
    await office.hear(casa.crossed())
    await office.teller.tell_all()
    ((subject, log),) = await office.rows(casa, "subject, log::text")
    assert subject.startswith("Marca Uno: Casa García")
    assert "subject line 1: 'no_more' is undefined" in log


async def test_a_fact_that_cannot_be_told_is_put_aside_and_the_others_go_on(office: Office) -> None:
    """One damaged row must not stop every client's mails."""
    bad, good = Casa(emails=("bad@example.net",)), Casa(emails=("good@example.net",))
    await office.learn(*(e for c in (bad, good) for e in (c.brand_event(), c.client_event())))
    await office.hear(bad.crossed())
    await office.fetch("update facts set kind = 'unheard_of'")
    await office.hear(good.crossed())
    assert await office.teller.tell_all() == 1
    facts = await office.fetch("select state, tries, trouble from facts order by state")
    assert [(f["state"], f["tries"]) for f in facts] == [("told", 0), ("waiting", 1)]
    assert "unheard_of" in facts[1]["trouble"]


URLS = [
    ("smtp://mail.example.net", {"port": 25, "use_tls": False, "start_tls": None}),
    ("smtp://u:p%40ss@mail.example.net:587?starttls=always", {"password": "p@ss", "start_tls": True}),
    ("smtps://mail.example.net", {"port": 465, "use_tls": True, "start_tls": False}),
    ("smtp://[::1]:2525?starttls=never", {"hostname": "::1", "port": 2525, "start_tls": False}),
]


@pytest.mark.parametrize(("url", "expected"), URLS)
def test_the_mail_server_is_one_url(url: str, expected: dict[str, Any]) -> None:
    """One variable to set; TLS as the scheme and `starttls` say."""
    found = options(url)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    "url", ["mail.example.net", "http://x", "smtp://", "smtp://x:port", "smtp://x?starttls=if"]
)
def test_a_wrong_mail_url_is_told_at_the_start(url: str) -> None:
    """Not at night, with the first mail."""
    with pytest.raises(BadSmtpUrl):
        options(url)
