"""Idempotency-Key on every POST but the edge API's and those of one's own account (contracts section 2).

Creations are replayed in `test_conventions`. Here: whoever repeats any POST while the first runs is told to
wait; and what only answers a question honours the key, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from landline.chassis.auth import Principal
from landline.chassis.embedded.rest_client import RestClient
from landline.chassis.idempotency import RequestKey
from landline.chassis.settings import Settings

from tests.api.test_isolation import request, walked
from tests.support.api_bodies import completed, good_body
from tests.support.api_surface import SERVICES, Operation
from tests.support.api_tenants import Town
from tests.support.world import PROVISIONING

# POSTs that answer a question, and one that makes the same thing whenever it is asked.
QUESTIONS = {
    "transformation-sets/{id}/try",
    "transformation-sets/ready-made",
    "notification-templates/preview",
    "price-quotes",
    "simulate",
}


@dataclass
class Somebody:
    """A key of the platform, and who that is to the services."""

    who: RestClient
    principal: Principal


@pytest.fixture(scope="module")
def somebody(town: Town) -> Iterator[Somebody]:
    """Who asks."""
    made = town.alpha.api.post(f"{PROVISIONING}/api-keys", {"name": "repeats itself"})
    who = RestClient(town.alpha.platform.stack.url, made["key"])
    yield Somebody(who, Principal("platform", username="repeats itself", key_id=made["id"]))
    who.http.close()


@contextmanager
def running(town: Town, key: RequestKey) -> Iterator[None]:
    """As if the first request with this key were still running: its lock is held."""
    env = town.alpha.platform.stack.processes()["web"].environ()
    settings = Settings(
        _env_file=None,
        pg_url=env["LANDLINE_PG_URL"],
        pg_owner_password=env.get("LANDLINE_PG_OWNER_PASSWORD", ""),
    )
    lock = int.from_bytes(key.id[:8], "big", signed=True)
    with asyncio.Runner() as runner:
        conn = runner.run(asyncpg.connect(settings.pg_dsn("landline_owner")))
        runner.run(conn.execute("select pg_advisory_lock($1)", lock))
        yield
        runner.run(conn.close())


def posts(town: Town, service: str) -> Iterator[Operation]:
    """Every POST that people and integrators may repeat."""
    for operation in walked(town, service):
        if operation.method == "POST" and not operation.below.startswith("auth/"):
            yield operation


def asked(who: RestClient, town: Town, operation: Operation, key: str) -> tuple[Any, httpx.Response]:
    """(body, answer): a good body, completed with what refusals ask for."""
    found, body = operation.body(), None
    if found is not None:
        body = good_body(operation, town.alpha.reference) if found[0] == "application/json" else {}
        body |= {"brand_id": town.alpha.brand.id} if operation.below == "ddis/import" else {}
    while True:
        path, headers = str(town.alpha.path(operation)), {"Idempotency-Key": key}
        answer = request(who, operation, path, body, headers=headers)
        refused = found is not None and answer.status_code == 422
        more = completed(operation, body or {}, answer.json(), town.alpha.reference) if refused else None
        if more is None:
            return body, answer
        body = more


@pytest.mark.parametrize("service", SERVICES)
def test_while_the_first_request_runs_the_second_is_told_when_to_come_back(
    town: Town, somebody: Somebody, service: str
) -> None:
    """409 with Retry-After, and no second effect, whatever the POST does."""
    wrong, seen = {}, 0
    for operation in posts(town, service):
        scope = f"{somebody.principal.identity}\0POST\0{town.alpha.path(operation)}"
        key = RequestKey(str(uuid4()), scope, b"")
        with running(town, key):
            _, answer = asked(somebody.who, town, operation, key.value)
        told = answer.status_code == 409 and answer.json()["code"] == "request_in_progress"
        if not told or not answer.headers.get("retry-after"):
            wrong[str(operation)] = (answer.status_code, answer.text[:300])
        seen += 1
    assert wrong == {}
    assert seen


@pytest.mark.parametrize("service", SERVICES)
def test_a_question_asked_again_with_its_key_gets_the_first_answer(
    town: Town, somebody: Somebody, service: str
) -> None:
    """And another question with that key is refused: it would get the answer to the first one."""
    wrong: dict[str, Any] = {}
    for operation in (o for o in posts(town, service) if o.below in QUESTIONS):
        key, path = str(uuid4()), str(town.alpha.path(operation))
        body, first = asked(somebody.who, town, operation, key)
        headers = {"Idempotency-Key": key}
        again = request(somebody.who, operation, path, body, headers=headers)
        if first.status_code not in (200, 201) or again.json() != first.json():
            wrong[str(operation)] = (first.text[:300], again.text[:300])
        if "idempotent-replayed" in first.headers or again.headers.get("idempotent-replayed") != "true":
            wrong[f"{operation}: replayed"] = (dict(first.headers), dict(again.headers))
        spaced, as_json = first.request.content + b" ", {"Content-Type": "application/json"}
        other = somebody.who.http.post(path, content=spaced, headers=as_json | headers)
        if (other.status_code, other.json().get("code")) != (422, "idempotency_key_reused"):
            wrong[f"{operation}: another body"] = (other.status_code, other.text[:300])
    assert wrong == {}
