"""/dev: the mails a run caught, and the clock a test may move."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import time
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from landline.chassis.embedded.mail_catcher import start_mail_catcher
from landline.chassis.embedded.mailbox import KEPT, Mailbox
from landline.chassis.embedded.own_pages import build_own_app
from landline.chassis.settings import Settings
from landline.kernel.clock import SharedOffsetClock

LOCAL, FAR = ("127.0.0.1", 40000), ("192.0.2.7", 40000)


def client(data: Path, address: tuple[str, int] = LOCAL, **values: object) -> httpx.AsyncClient:
    settings = Settings(data=data, embedded=True, _env_file=None, **values)  # type: ignore[arg-type]
    app: FastAPI = build_own_app(settings, {})
    transport = httpx.ASGITransport(app, client=address)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def mail(subject: str, text: str = "¡Límite alcanzado!", html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.net", "Ann <b@example.net>", subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return message


async def test_a_mail_sent_to_the_catcher_is_listed_newest_first(tmp_path: Path) -> None:
    """How a test from outside sees that a mail was sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = await start_mail_catcher(listener, Mailbox(tmp_path / "mails"))

    recipients = ["b@example.net", "hidden@example.net"]

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
            smtp.send_message(mail("first"))
            smtp.send_message(
                mail("Día ñ", html="<b>¡Límite!</b>"), to_addrs=["b@example.net", "hidden@example.net"]
            )

    await asyncio.to_thread(send)
    async with client(tmp_path) as http:
        newest, first = (await http.get("/dev/mails")).json()
        limited = (await http.get("/dev/mails", params={"limit": 1})).json()
    server.close()
    assert (newest["subject"], first["subject"]) == ("Día ñ", "first")
    assert newest["to"] == "Ann <b@example.net>"
    assert newest["recipients"] == recipients
    assert newest["text"].strip() == "¡Límite alcanzado!"
    assert newest["html"].strip() == "<b>¡Límite!</b>"
    assert first["html"] is None
    assert [m["id"] for m in limited] == [newest["id"]]


def test_only_the_newest_mails_are_kept(tmp_path: Path) -> None:
    """A limit on everything."""
    mailbox = Mailbox(tmp_path)
    for number in range(KEPT + 5):
        mailbox.add(f"Subject: {number}\r\n\r\nx".encode())
    kept = mailbox.newest(KEPT * 2)
    assert [kept[0]["subject"], kept[-1]["subject"], len(kept)] == [str(KEPT + 4), "5", KEPT]


@pytest.mark.parametrize("broken", [b"", b"\xff\xfe\x00", b"Content-Type: text/plain; charset=x\r\n\r\n\xe9"])
def test_a_broken_mail_is_listed_all_the_same(broken: bytes, tmp_path: Path) -> None:
    """One strange mail must not hide the others."""
    mailbox = Mailbox(tmp_path)
    mailbox.add(broken)
    assert len(mailbox.newest(10)) == 1


@pytest.mark.parametrize(
    "now", ["2030-01-02T03:04:05Z", "2030-01-02T04:04:05+01:00", 1893553445, 1893553445.0]
)
async def test_the_clock_moves_for_every_process_and_goes_on(now: object, tmp_path: Path) -> None:
    """Tests of days and months cannot wait for them."""
    async with client(tmp_path, test_clock=True) as http:
        assert (await http.post("/dev/clock", json={"now": now})).status_code == 200
        told = datetime.fromisoformat((await http.get("/dev/clock")).json()["now"])
    other = SharedOffsetClock(tmp_path / "run" / "clock")
    assert 0 <= other.now_ms() - 1893553445000 < 5000
    before = other.now_ms()
    await asyncio.sleep(0.02)
    assert other.now_ms() > before
    assert told.year == 2030


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"now": None},
        {"now": "tomorrow"},
        {"now": "2030-01-02T03:04:05"},
        {"now": "2030-13-02T03:04:05Z"},
        {"now": True},
        {"now": -1},
        {"now": 1e300},
        {"now": [1]},
        {"now": 1, "more": 2},
        {"now": "x" * 10_000},
    ],
)
async def test_a_moment_that_is_none_is_refused_and_named(body: object, tmp_path: Path) -> None:
    """422 naming the field, and the clock stays."""
    async with client(tmp_path, test_clock=True) as http:
        answer = await http.post("/dev/clock", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"].split(".")[0] in ("now", "more")
    assert abs(SharedOffsetClock(tmp_path / "run" / "clock").now_ms() - time.time() * 1000) < 5000


async def test_the_clock_stands_firm_without_the_knob(tmp_path: Path) -> None:
    """Contracts section 6: only with LANDLINE_TEST_CLOCK=1."""
    async with client(tmp_path) as http:
        assert (await http.post("/dev/clock", json={"now": 0})).status_code == 404


async def test_dev_pages_answer_this_machine_only(tmp_path: Path) -> None:
    """Mails hold other people's words; a run may listen on all addresses."""
    async with client(tmp_path, FAR) as http:
        assert (await http.get("/dev/mails")).status_code == 404
        assert (await http.get("/healthz")).status_code == 200


async def test_readiness_names_what_is_missing(tmp_path: Path) -> None:
    """503 with a sentence for each: a readiness that raises or hangs is itself missing."""

    async def raises() -> dict[str, str | None]:
        raise ConnectionError("no route")

    async def lacks() -> dict[str, str | None]:
        return {"postgres": None, "redis": "appendfsync is everysec"}

    apps = {name: FastAPI() for name in ("starting", "raising", "lacking")}
    apps["raising"].state.readiness, apps["lacking"].state.readiness = raises, lacks
    app = build_own_app(Settings(data=tmp_path, _env_file=None), apps)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["components"] == {
        "starting": "start not finished",
        "raising": "ConnectionError: no route",
        "lacking.postgres": None,
        "lacking.redis": "appendfsync is everysec",
        "work": "the work process is not running yet",
    }
