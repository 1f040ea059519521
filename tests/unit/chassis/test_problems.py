"""Errors as people and machines get them: one form, nothing echoed, never a 500 for input."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import StreamingResponse
from landline.chassis.http_app import build_app
from landline.chassis.problems import (
    Conflict,
    FieldError,
    InvalidInput,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from landline.chassis.resources import ApiModel
from landline.chassis.settings import Settings
from sqlalchemy.exc import DBAPIError

SECRET = "hunter2-hunter2"


class Body(ApiModel):
    """Something to send."""

    password: int
    count: int = 0


def _raising(error: Exception) -> Any:
    async def route() -> None:
        raise error

    return route


ERRORS: dict[str, tuple[Exception, int, str]] = {
    "conflict": (Conflict("name_taken", "taken"), 409, "name_taken"),
    "invalid": (InvalidInput([FieldError("a.0", "bad", "is bad")]), 422, "invalid_input"),
    "who": (Unauthorized(), 401, "unauthorized"),
    "slow": (TooManyRequests("too many", retry_after_s=30), 429, "too_many_requests"),
    "away": (Unavailable("later", retry_after_s=5), 503, "unavailable"),
    "bug": (RuntimeError(SECRET), 500, "internal_error"),
    "gone": (DBAPIError("s", {}, asyncpg.ConnectionDoesNotExistError("gone")), 503, "database_away"),
    "full": (DBAPIError("s", {}, asyncpg.DiskFullError("full")), 503, "database_away"),
    "value": (DBAPIError("s", {}, asyncpg.CharacterNotInRepertoireError("0x00")), 422, "invalid_input"),
    "sql": (DBAPIError("s", {}, asyncpg.UndefinedTableError("t")), 500, "internal_error"),
}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """An app with one route per error."""
    router = APIRouter()
    for name, (error, _, _) in ERRORS.items():
        router.add_api_route(f"/{name}", _raising(error))

    @router.post("/body")
    async def body(body: Body, request: Request) -> dict[str, int]:
        return {"count": body.count}

    @router.get("/rows/{id}")
    async def row(id: str) -> dict[str, str]:
        return {"id": id}

    @router.patch("/rows/{id}")
    async def change(id: str, body: Body) -> None: ...

    @router.get("/endless")
    async def endless() -> StreamingResponse:
        async def beats() -> AsyncIterator[str]:
            while True:
                yield "beat"
                await asyncio.sleep(0.01)

        return StreamingResponse(beats(), media_type="text/plain")

    @router.post("/large/import")
    async def large(request: Request) -> int:
        return len(await request.body())

    @asynccontextmanager
    async def nothing(_app: FastAPI) -> AsyncIterator[None]:
        yield

    app = build_app(
        "notifier", Settings(_env_file=None), [router], nothing, body_limits={"/import": 3_000_000}
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://t/api/notifier/v1") as client:
        yield client


@pytest.mark.parametrize("name", ERRORS)
async def test_every_error_has_the_form_of_rfc_9457(http: httpx.AsyncClient, name: str) -> None:
    """Whatever is raised, wherever: one form, one place."""
    _, status, code = ERRORS[name]
    answer = await http.get(f"/{name}")
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert set(body) >= {"type", "title", "status", "detail", "code", "errors"}
    assert SECRET not in answer.text


async def test_waiting_times_and_challenges_are_told(http: httpx.AsyncClient) -> None:
    """Machines read headers."""
    assert (await http.get("/slow")).headers["retry-after"] == "30"
    assert (await http.get("/away")).headers["retry-after"] == "5"
    assert (await http.get("/who")).headers["www-authenticate"] == "Bearer"


async def test_unknown_address_and_method_are_problems_too(http: httpx.AsyncClient) -> None:
    """Framework errors must not look different from ours."""
    missing, wrong = await http.get("/nowhere"), await http.delete("/body")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")


async def test_a_refused_method_is_told_all_that_there_are(http: httpx.AsyncClient) -> None:
    """RFC 9110 section 15.5.6: gateways and clients go by Allow."""
    for method, path, allow in (
        ("PUT", "/rows/1", "GET, HEAD, PATCH"),
        ("OPTIONS", "/rows/1", "GET, HEAD, PATCH"),
        ("HEAD", "/body", "POST"),
    ):
        answer = await http.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allow), (method, path)


async def test_head_is_get_without_the_content(http: httpx.AsyncClient) -> None:
    """RFC 9110 section 9.3.2: link checkers and caches ask so. An endless answer ends at its head."""
    got, head = await http.get("/rows/1"), await http.head("/rows/1")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"] != "0"
    missing = await http.head("/nowhere")
    assert (missing.status_code, missing.content) == (404, b"")
    async with asyncio.timeout(5):
        stream = await http.head("/endless")
    assert (stream.status_code, stream.content, stream.headers["content-type"][:10]) == (
        200,
        b"",
        "text/plain",
    )


@pytest.mark.parametrize("sent", ["text/plain", "application/xml", "application/x-www-form-urlencoded", None])
async def test_a_body_that_is_not_called_json_is_415(http: httpx.AsyncClient, sent: str | None) -> None:
    """Not "should be an object" of somebody who sent one: what is wrong is the header."""
    head = {"Content-Type": sent} if sent else {}
    answer = await http.post("/body", content=b'{"password": 1}', headers=head)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "application/json" in answer.json()["detail"]
    for good in ("application/json", "application/merge-patch+json", "application/json; charset=utf-8"):
        taken = await http.post("/body", content=b'{"password": 1}', headers={"Content-Type": good})
        assert taken.status_code == 200, good


async def test_what_was_sent_is_never_echoed(http: httpx.AsyncClient) -> None:
    """An error in a log or a ticket must not carry a password."""
    answer = await http.post("/body", json={"password": SECRET, "count": "x" * 10_000})
    assert {e["field"] for e in answer.json()["errors"]} == {"password", "count"}
    assert SECRET not in answer.text
    assert "xxx" not in answer.text


async def test_a_thousand_errors_are_not_all_told(http: httpx.AsyncClient) -> None:
    """An answer is bounded, whatever came in."""
    answer = await http.post("/body", json={f"f{n}": 1 for n in range(1000)})
    assert len(answer.json()["errors"]) == 100


async def test_a_body_limit_can_be_raised_for_one_address(http: httpx.AsyncClient) -> None:
    """Imports are larger than rows; chunked bodies are counted, too."""
    two = b"x" * 2_000_000
    assert (await http.post("/large/import", content=two)).json() == 2_000_000
    assert (await http.post("/body", content=two)).status_code == 413

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 100_000

    assert (await http.post("/large/import", content=chunks())).status_code == 413


async def test_readiness_says_what_is_missing(http: httpx.AsyncClient) -> None:
    """`/readyz` is 503 until a service says that it can work."""
    transport = http._transport
    assert isinstance(transport, httpx.ASGITransport)
    assert (await http.get("http://t/readyz")).status_code == 503
    app: Any = transport.app

    async def readiness() -> dict[str, str | None]:
        return {"postgres": None, "redis": "no answer"}

    app.state.readiness = readiness
    answer = await http.get("http://t/readyz")
    assert (answer.status_code, answer.json()["components"]["redis"]) == (503, "no answer")
    assert (await http.get("http://t/healthz")).status_code == 200


async def test_requests_are_counted_by_template(http: httpx.AsyncClient) -> None:
    """Ids as label values would grow without bound."""
    await http.get("/conflict")
    await http.get("/nowhere/1234567")
    page = (await http.get("http://t/metrics")).text
    assert 'route="/conflict"' in page
    assert "1234567" not in page
