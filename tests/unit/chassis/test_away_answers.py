"""What a request is answered when something that we need is away: 503, never a 500."""

from __future__ import annotations

import asyncpg
import httpx
import pytest
import redis.exceptions
from fastapi import FastAPI
from landline.chassis import problems

CASES = [
    (ConnectionRefusedError(111, "Connection refused"), 503, "database_away"),
    (ConnectionResetError(104, "reset"), 503, "database_away"),
    (TimeoutError(), 503, "database_away"),
    (asyncpg.CannotConnectNowError("the database system is starting up"), 503, "database_away"),
    (asyncpg.InterfaceError("connection is closed"), 503, "database_away"),
    (redis.exceptions.ConnectionError("refused"), 503, "redis_away"),
    (redis.exceptions.TimeoutError("slow"), 503, "redis_away"),
    (redis.exceptions.ResponseError("MISCONF disk is full"), 503, "redis_away"),
    (redis.exceptions.ResponseError("ERR unknown command"), 500, "internal_error"),
    (asyncpg.UndefinedTableError("no such table"), 500, "internal_error"),
    (FileNotFoundError(2, "no such file"), 500, "internal_error"),
]


@pytest.mark.parametrize(("error", "status", "code"), CASES, ids=lambda value: type(value).__name__)
async def test_a_store_that_is_away_is_503_and_a_bug_is_500(error: Exception, status: int, code: str) -> None:
    """A refused connection reaches the app bare, wrapped by neither driver nor SQLAlchemy."""
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.get("/")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ("Retry-After" in answer.headers) == (status == 503)
