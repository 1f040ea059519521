"""The notification log, sending again, and templates: what operators and clients see and may do."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from landline.chassis.postgres import Scope
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from landline.chassis.token_verifier import KEYS_HASH
from landline.kernel.ids import new_id
from notifier.main import app

from tests.integration.notifier.office import Casa, Office, until

KEY = Ed25519PrivateKey.generate()
BASE = "/api/notifier/v1"


def as_(level: str, brand_id: str | None = None, client_id: str | None = None) -> dict[str, str]:
    """The header of a person at a level."""
    claims = {
        "iss": "landline", "sub": new_id(), "sid": new_id(), "lvl": level, "bid": brand_id, "cid": client_id,
        "name": "tester", "iat": int(time.time()), "exp": int(time.time()) + 600,
    }  # fmt: skip
    return {"Authorization": f"Bearer {jwt.encode(claims, KEY, 'EdDSA', headers={'kid': 'k1'})}"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def api(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """notifier's own app, its lifespan running."""
    public = KEY.public_key().public_bytes_raw()
    redis: Any = await connect(settings)
    await redis.hset(KEYS_HASH, "k1", base64.b64encode(public))
    await redis.aclose()
    served = app(settings)
    async with served.router.lifespan_context(served):

        async def sessions_known() -> bool:
            return served.state.verifier.missing() is None

        await until(sessions_known)
        transport = httpx.ASGITransport(served)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


async def sent(office: Office, casa: Casa) -> str:
    """A mail of this client, sent; its id."""
    await office.learn(casa.brand_event(), casa.client_event())
    await office.hear(casa.crossed())
    await office.teller.tell_all()
    await office.send_all()
    return str((await office.rows(casa, "id"))[0])


async def test_each_level_sees_the_log_of_its_own_scope(api: httpx.AsyncClient, office: Office) -> None:
    """Outside one's scope a row does not exist: not in lists, not by id, not by its words."""
    mine, other = Casa(), Casa(emails=("other@example.net",))
    my_id, other_id = await sent(office, mine), await sent(office, other)
    for header, seen in (
        (as_("platform"), {my_id, other_id}),
        (as_("brand", mine.brand_id), {my_id}),
        (as_("client", mine.brand_id, mine.id), {my_id}),
        (as_("client", mine.brand_id, new_id()), set()),
    ):
        answer = await api.get(f"{BASE}/notifications", headers=header)
        assert {item["id"] for item in answer.json()["items"]} == seen
        for path in (f"/notifications/{other_id}", f"/notifications/{other_id}/content"):
            assert (await api.get(BASE + path, headers=header)).status_code == (
                200 if other_id in seen else 404
            )
    assert (await api.get(f"{BASE}/notifications")).status_code == 401


async def test_a_transaction_without_a_scope_sees_no_mail(office: Office) -> None:
    """Row-level security is the second line: a forgotten condition must not show another tenant."""
    casa = Casa()
    await sent(office, casa)
    tables = ("notifications", "facts", "clients", "brands")
    for scope, count in ((Scope("client"), 0), (Scope.brand(new_id()), 0), (Scope.brand(casa.brand_id), 1)):
        async with office.db.asyncpg(scope) as conn:
            counts = {table: await conn.fetchval(f"select count(*) from {table}") for table in tables}
        assert set(counts.values()) == {count}


async def test_the_log_tells_the_story_of_a_mail_and_can_be_filtered(
    api: httpx.AsyncClient, office: Office
) -> None:
    """ "Did she get it?" is answered from here."""
    casa = Casa(emails=("ana@example.net", "gone@example.net"))
    office.server.at_rcpt["gone@example.net"] = ["550 5.1.1 no such user"]
    await sent(office, casa)
    header = as_("brand", casa.brand_id)
    answer = await api.get(f"{BASE}/notifications?state=failed&count=true", headers=header)
    (item,), total = answer.json()["items"], answer.json()["total"]
    assert (total, item["address"], item["error"]) == (1, "gone@example.net", "550 5.1.1 no such user")
    assert item["log"][0]["text"] == "try 1: refused: 550 5.1.1 no such user"
    assert "text" not in item
    first = (await api.get(f"{BASE}/notifications?limit=1", headers=header)).json()
    rest = (
        await api.get(f"{BASE}/notifications?limit=1&cursor={first['next_cursor']}", headers=header)
    ).json()
    assert {first["items"][0]["address"], rest["items"][0]["address"]} == set(casa.emails)
    words = (await api.get(f"{BASE}/notifications/{item['id']}/content", headers=header)).json()
    assert "límite diario" in words["text"]


async def test_a_mail_is_sent_again_with_a_reason_once_per_key(
    api: httpx.AsyncClient, office: Office
) -> None:
    """A new message, linked to the old one, audited; a repeated click is not a second mail."""
    casa = Casa()
    old_id = await sent(office, casa)
    path, header = f"{BASE}/notifications/{old_id}/resend", as_("brand", casa.brand_id)
    refused = await api.post(path, headers=header)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "X-Reason")
    header |= {"X-Reason": "she deleted it", "Idempotency-Key": "click-1"}
    answers = [await api.post(path, headers=header) for _ in range(3)]
    assert [a.status_code for a in answers] == [201] * 3
    assert len({a.json()["id"] for a in answers}) == 1
    new = answers[0].json()
    assert (new["resend_of"], new["address"], new["state"]) == (old_id, "ana@example.net", "pending")
    again = await api.post(path.replace(old_id, new["id"]), headers=header)
    assert (again.status_code, again.json()["code"]) == (409, "not_over")
    office.clock.value_ms = int(time.time() * 1000) + 1000
    await office.send_all()
    first, second = office.server.to("ana@example.net")
    assert first["Subject"] == second["Subject"]
    assert first["Message-ID"] != second["Message-ID"]
    (entry,) = await office.fetch("select * from audit_log where entity_id = $1", new["id"])
    assert (entry["action"], entry["reason"], entry["username"]) == ("resend", "she deleted it", "tester")


@pytest.mark.parametrize(("level", "status"), [("client", 403), ("foreign brand", 404)])
async def test_only_operators_in_scope_send_again(
    api: httpx.AsyncClient, office: Office, level: str, status: int
) -> None:
    """Else a client, or another brand, could make us send mail at will."""
    casa = Casa()
    mail_id = await sent(office, casa)
    header = as_("client", casa.brand_id, casa.id) if level == "client" else as_("brand", new_id())
    answer = await api.post(f"{BASE}/notifications/{mail_id}/resend", headers=header | {"X-Reason": "please"})
    assert answer.status_code == status
    assert len(await office.rows(casa)) == 1


async def test_a_brands_and_a_clients_templates_make_the_mail_field_by_field(
    api: httpx.AsyncClient, office: Office
) -> None:
    """From the REST call to the mail: the client's subject, the brand's text, our HTML."""
    casa = Casa()
    await office.learn(casa.brand_event(), casa.client_event())
    header = as_("brand", casa.brand_id)
    for body in (
        {"name": "ours", "is_default": True, "contents": {"es": {"text": "Hola {{ client_name }}"}}},
        {"name": "casa", "client_id": casa.id, "contents": {"es": {"subject": "¡{{ threshold }} %!"}}},
    ):
        answer = await api.post(
            f"{BASE}/notification-templates", json={"kind": "daily_usage", **body}, headers=header
        )
        assert answer.status_code == 201, answer.text
    preview = await api.post(
        f"{BASE}/notification-templates/preview",
        json={"kind": "daily_usage", "language": "es", "client_id": casa.id}, headers=header,
    )  # fmt: skip
    sources = {field: found["source"] for field, found in preview.json()["sources"].items()}
    assert sources == {"subject": "client", "text": "brand", "html": "built-in"}
    await sent(office, casa)
    (mail,) = office.server.to("ana@example.net")
    text, html = mail.get_body(["plain"]), mail.get_body(["html"])
    assert text is not None
    assert html is not None
    assert (mail["Subject"], text.get_content().strip()) == ("¡80 %!", "Hola Casa García")
    assert "<strong>Casa García</strong>" in html.get_content()


async def test_a_template_assigned_in_the_configuration_goes_before_the_clients_own(
    api: httpx.AsyncClient, office: Office
) -> None:
    """`notification_template_ids` of the client says which of the brand's templates it gets."""
    casa = Casa()
    await office.learn(casa.brand_event())
    answer = await api.post(
        f"{BASE}/notification-templates",
        json={"kind": "daily_usage", "name": "vip", "contents": {"es": {"subject": "VIP {{ limit }}"}}},
        headers=as_("platform"),
    )
    assert answer.json()["errors"][0]["field"] == "brand_id"
    answer = await api.post(
        f"{BASE}/notification-templates",
        json={
            "kind": "daily_usage", "name": "vip", "brand_id": casa.brand_id,
            "contents": {"es": {"subject": "VIP {{ limit }}"}},
        },
        headers=as_("platform"),
    )  # fmt: skip
    await office.learn(casa.client_event(notification_template_ids={"daily_usage": answer.json()["id"]}))
    await office.hear(casa.crossed())
    await office.teller.tell_all()
    assert await office.rows(casa, "subject") == ["VIP 10,00\xa0€"]


async def test_a_bad_template_is_refused_with_every_field_and_line(
    api: httpx.AsyncClient, office: Office
) -> None:
    """All that is wrong, at once, where it is; and nothing is kept."""
    casa = Casa()
    await office.learn(casa.brand_event())
    contents = {
        "es": {"subject": "{{ nobody }}", "text": "a\nb\n{% for x in y %}"},
        "en": {"html": "{{ limit"},
    }
    body = {"kind": "daily_usage", "name": "bad", "contents": contents}
    header = as_("brand", casa.brand_id)
    for path in ("notification-templates", "notification-templates/preview"):
        body_here = {k: v for k, v in body.items() if k != "name"} if path.endswith("preview") else body
        answer = await api.post(f"{BASE}/{path}", json=body_here, headers=header)
        assert answer.status_code == 422
        found = {e["field"]: e["message"][:7] for e in answer.json()["errors"]}
        assert found == {
            "contents.es.subject": "line 1:", "contents.es.text": "line 3:", "contents.en.html": "line 1:",
        }  # fmt: skip
    assert await office.fetch("select 1 from notification_templates") == []


BAD_BODIES = [
    ({"kind": "birthday"}, "kind"),
    ({"colour": "red"}, "colour"),
    ({"contents": {"klingon!": {}}}, "contents.klingon!.[key]"),
    ({"contents": {"es": {"footer": "x"}}}, "contents.es.footer"),
    ({"name": "a\r\nb"}, "name"),
    ({"contents": {"es": {"text": "a\x00b"}}}, "contents.es.text"),
    ({"client_id": new_id()}, "client_id"),
    ({"contents": {"es": {"text": "x" * 300_000}}}, "contents.es.text"),
]


@pytest.mark.parametrize(("change", "field"), BAD_BODIES)
async def test_bad_input_names_its_field(
    api: httpx.AsyncClient, office: Office, change: dict[str, Any], field: str
) -> None:
    """Never a 500 for input, and nothing is kept."""
    casa = Casa()
    await office.learn(casa.brand_event())
    body = {"kind": "daily_usage", "name": "x", "contents": {"es": {"subject": "x"}}} | change
    answer = await api.post(f"{BASE}/notification-templates", json=body, headers=as_("brand", casa.brand_id))
    assert answer.status_code == 422, answer.text
    assert field in [e["field"] for e in answer.json()["errors"]]
    assert await office.fetch("select 1 from notification_templates") == []


async def test_a_template_is_patched_under_the_same_rules_and_one_is_the_default(
    api: httpx.AsyncClient, office: Office
) -> None:
    """A merge patch changes one language and leaves the others; two defaults would be a coin toss."""
    casa = Casa()
    await office.learn(casa.brand_event())
    header = as_("brand", casa.brand_id)
    body = {"kind": "daily_usage", "name": "a", "is_default": True, "contents": {"es": {"subject": "uno"}}}
    first = await api.post(f"{BASE}/notification-templates", json=body, headers=header)
    place = first.headers["location"]
    patched = await api.patch(place, json={"contents": {"en": {"subject": "one"}}}, headers=header)
    assert patched.json()["contents"] == {"es": {"subject": "uno"}, "en": {"subject": "one"}}
    bad = await api.patch(place, json={"contents": {"en": {"subject": "{{ x }}"}}}, headers=header)
    assert bad.json()["errors"][0]["field"] == "contents.en.subject"
    second = await api.post(f"{BASE}/notification-templates", json=body | {"name": "b"}, headers=header)
    assert (second.status_code, second.json()["code"]) == (409, "is_default_taken")
    assert (await api.delete(place, headers=header)).status_code == 204


async def test_the_variables_of_every_kind_are_documented(api: httpx.AsyncClient) -> None:
    """Authors of templates look here."""
    (kind,) = (await api.get(f"{BASE}/notification-kinds", headers=as_("platform"))).json()
    assert kind["kind"] == "daily_usage"
    assert {"name", "about", "sample"} == set(kind["variables"][0])


async def test_readiness_says_that_mails_wait_for_a_mail_server(api: httpx.AsyncClient) -> None:
    """Without LANDLINE_SMTP_URL mails pile up; whoever looks must see why."""
    answer = await api.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["components"] == {
        "postgres": None, "redis": None, "sessions": None, "smtp": "LANDLINE_SMTP_URL is not set: mails wait",
    }  # fmt: skip


async def test_the_openapi_text_is_served(api: httpx.AsyncClient) -> None:
    """A client is generated from it."""
    paths = (await api.get(f"{BASE}/openapi.json")).json()["paths"]
    assert f"{BASE}/notifications/{{id}}/resend" in paths
