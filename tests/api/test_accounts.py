"""People's way in, on the running platform: a forgotten password, and sessions that end everywhere."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.support.api_surface import SERVICES
from tests.support.world import NOTIFIER, PROVISIONING, Platform, patiently, until

A_LIST = {
    "provisioning": "/api/provisioning/v1/brands",
    "call-control": "/api/call-control/v1/calls",
    "billing": "/api/billing/v1/postings",
    "notifier": "/api/notifier/v1/notifications",
}
OLD, NEW = "a pass phrase of before 1", "a pass phrase of after 2"


def person(platform: Platform, username: str, **fields: Any) -> dict[str, Any]:
    """A new admin with a mail address."""
    body = {"username": username, "password": OLD, "email": f"{username}@example.net", **fields}
    made: dict[str, Any] = platform.api.post(f"{PROVISIONING}/admins", body)
    return made


def ask(platform: Platform, path: str, body: Any, token: str | None = None) -> httpx.Response:
    """A POST of somebody without, or with, a token."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.post(
        f"{platform.stack.url}{PROVISIONING}/auth/{path}", json=body, headers=headers, timeout=30
    )


def tokens(platform: Platform, username: str, password: str) -> dict[str, Any]:
    """A login that must succeed."""
    answer = ask(platform, "login", {"username": username, "password": password})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def mail_to(platform: Platform, address: str) -> dict[str, Any]:
    """The newest mail to an address."""

    def find() -> dict[str, Any] | None:
        mails = platform.public.get("/dev/mails")
        return next((mail for mail in mails if address in str(mail["to"])), None)

    return until(find, f"a mail to {address}")


def everywhere(platform: Platform, token: str) -> set[int]:
    """How the four services answer a list with this token."""
    headers = {"Authorization": f"Bearer {token}"}
    return {
        httpx.get(platform.stack.url + A_LIST[s], headers=headers, timeout=30).status_code for s in SERVICES
    }


@pytest.mark.parametrize(("language", "subject"), [("es", "contraseña"), ("en", "password")])
def test_a_forgotten_password_is_set_anew_by_a_mail(platform: Platform, language: str, subject: str) -> None:
    """Once, and every session of before ends on all four services."""
    brand = platform.brand(f"Reset {language}", language=language)
    name = f"forgetful-{language}"
    person(platform, name, brand_id=brand.id, name="Ana García")
    before = tokens(platform, name, OLD)
    assert everywhere(platform, before["access_token"]) == {200}
    preview = {"kind": "daily_usage", "brand_id": brand.id}  # 404 until notifier has heard of the brand
    patiently(lambda: platform.api.post(f"{NOTIFIER}/notification-templates/preview", preview))
    assert ask(platform, "password-reset", {"username": name.upper()}).status_code == 202
    mail = mail_to(platform, f"{name}@example.net")
    assert subject in mail["subject"]
    [token] = set(re.findall(r"llp_[A-Za-z0-9_-]{43}", mail["text"]))
    weak = ask(platform, "password-reset/confirm", {"token": token, "new_password": "short"})
    assert (weak.status_code, weak.json()["errors"][0]["field"]) == (422, "new_password")
    done = ask(platform, "password-reset/confirm", {"token": token, "new_password": NEW})
    assert done.status_code == 204, done.text
    again = ask(platform, "password-reset/confirm", {"token": token, "new_password": OLD})
    assert (again.status_code, again.json()["errors"][0]["code"]) == (422, "invalid_token")
    until(lambda: everywhere(platform, before["access_token"]) == {401}, "old sessions end everywhere")
    assert ask(platform, "refresh", {"refresh_token": before["refresh_token"]}).status_code == 401
    assert ask(platform, "login", {"username": name, "password": OLD}).status_code == 401
    tokens(platform, name, NEW)
    _nobody_reads_the_token(platform, token, brand.id)


def _nobody_reads_the_token(platform: Platform, token: str, brand_id: str) -> None:
    """The operator sees that a mail went out, never its words; a used token's are gone."""
    [row] = platform.api.get("/api/notifier/v1/notifications", kind="password_reset", brand_id=brand_id)[
        "items"
    ]
    content = platform.api.http.get(f"/api/notifier/v1/notifications/{row['id']}/content")
    assert (content.status_code, content.json()["code"]) == (403, "secret")
    again = platform.api.http.post(
        f"/api/notifier/v1/notifications/{row['id']}/resend", headers={"X-Reason": "tests"}
    )
    assert again.status_code == 409, again.text
    assert token not in str(platform.api.get("/api/notifier/v1/notifications", limit=500))


def test_unknown_accounts_get_the_same_answer(platform: Platform) -> None:
    """Else the form would tell who has an account; and the fourth request of one name has to wait, too."""
    person(platform, "known-to-us")
    person(platform, "without-mail", email=None)
    answers = {}
    for name in ("known-to-us", "without-mail", "nobody-at-all"):
        tries = [ask(platform, "password-reset", {"username": name}) for _ in range(4)]
        answers[name] = [(t.status_code, t.json().get("detail")) for t in tries]
    assert len({str(each) for each in answers.values()}) == 1, answers
    assert [status for status, _ in answers["nobody-at-all"]] == [202, 202, 202, 429]
    mail_to(platform, "known-to-us@example.net")


def test_the_newest_mail_is_the_good_one(platform: Platform) -> None:
    """An older mail in a forwarded mailbox opens nothing any more."""
    person(platform, "twice-asked")
    ask(platform, "password-reset", {"username": "twice-asked"})
    first = re.findall(r"llp_[\w-]{43}", mail_to(platform, "twice-asked@")["text"])[0]
    ask(platform, "password-reset", {"username": "twice-asked"})
    refused = ask(platform, "password-reset/confirm", {"token": first, "new_password": NEW})
    assert refused.status_code == 422

    def newer() -> str | None:
        token = re.findall(r"llp_[\w-]{43}", mail_to(platform, "twice-asked@")["text"])[0]
        return token if token != first else None

    token = until(newer, "the second mail")
    assert ask(platform, "password-reset/confirm", {"token": token, "new_password": NEW}).status_code == 204


def test_a_session_that_was_ended_is_refused_by_every_service(platform: Platform) -> None:
    """Logging out must not wait for the token to expire: anywhere, within a minute (here: 10 s)."""
    person(platform, "leaves-early")
    pair = tokens(platform, "leaves-early", OLD)
    assert everywhere(platform, pair["access_token"]) == {200}
    assert ask(platform, "logout", {}, pair["access_token"]).status_code == 204
    until(lambda: everywhere(platform, pair["access_token"]) == {401}, "refused everywhere", within_s=10)


def test_an_operator_who_acts_as_another_is_named_with_both(platform: Platform) -> None:
    """Impersonation: as whom it acted and who it was."""
    brand = platform.brand("Acted As")
    admin = person(platform, "acts-as-others")
    pair = tokens(platform, "acts-as-others", OLD)
    acting = ask(platform, "impersonate", {"brand_id": brand.id}, pair["access_token"]).json()
    headers = {"Authorization": f"Bearer {acting['access_token']}", "X-Reason": "asked by phone"}
    url = f"{platform.stack.url}{PROVISIONING}/clients"
    made = httpx.post(url, json={"name": "On behalf"}, headers=headers, timeout=30)
    assert made.status_code == 201, made.text
    trail = platform.api.get(f"{PROVISIONING}/audit-log", entity_id=made.json()["id"])["items"]
    [entry] = trail
    assert (entry["admin_id"], entry["impersonator_id"], entry["level"], entry["brand_id"]) == (
        admin["id"],
        admin["id"],
        "brand",
        brand.id,
    )
    assert (entry["reason"], entry["username"]) == ("asked by phone", "acts-as-others")
    assert entry["address"]
    assert entry["request_id"]
