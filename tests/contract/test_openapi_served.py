"""How documents are served: the process that admits calls does not make them, and nobody makes one twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from landline.chassis import openapi_cache, openapi_served
from landline.chassis.embedded.services import load_services
from landline.chassis.openapi_served import with_document_apart
from landline.chassis.settings import Settings

SERVICES = ["billing", "call-control", "notifier", "provisioning"]


def caller(app: FastAPI) -> httpx.AsyncClient:
    """Asks an app that runs in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What an earlier process kept is out of sight."""
    monkeypatch.setattr(openapi_cache, "FOLDER", tmp_path)


def test_a_document_is_kept_for_the_code_that_made_it(tmp_path: Path) -> None:
    """After an upgrade nobody may be told of the old API; and one file a service is enough."""
    openapi_cache.keep("billing", b"old")
    [old] = tmp_path.iterdir()
    old.rename(old.with_name("openapi-billing-000000000000000000000000.json"))
    assert openapi_cache.kept("billing") is None
    openapi_cache.keep("billing", b"new")
    assert openapi_cache.kept("billing") == b"new"
    assert len(list(tmp_path.iterdir())) == 1


async def test_what_is_kept_is_served_without_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first reader waits for a file, not for seconds."""
    [service] = load_services(only="notifier")
    app = with_document_apart(service.app(Settings(_env_file=None)), "notifier")
    openapi_cache.keep("notifier", b"{}")
    monkeypatch.setattr(openapi_served, "__name__", "landline.chassis.no_such_module")
    async with caller(app) as http:
        assert (await http.get(f"{service.base_path}/openapi.json")).content == b"{}"


@pytest.mark.parametrize("name", SERVICES)
async def test_another_process_makes_the_same_document(name: str) -> None:
    """Once, for all who ask meanwhile; this one does none of the work."""
    [service] = load_services(only=name)
    app = with_document_apart(service.app(Settings(_env_file=None)), name)
    path, made = f"{service.base_path}/openapi.json", 0
    make = app.state.document

    async def counted() -> bytes:
        nonlocal made
        made += 1
        return bytes(await make())

    app.state.document = counted
    async with caller(app) as http:
        answers = await asyncio.gather(*(http.get(path, timeout=120) for _ in range(3)))
        tag = {"If-None-Match": answers[0].headers["etag"]}
        again = await http.get(path, headers=tag)
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert (again.status_code, again.content, made) == (304, b"", 1)
    assert app.openapi_schema is None, "this process made it, while calls waited"
    assert answers[0].json() == json.loads(json.dumps(app.openapi()))


async def test_a_process_that_fails_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """503, and not for ever."""
    [service] = load_services(only="notifier")
    app = with_document_apart(service.app(Settings(_env_file=None)), "notifier")
    path = f"{service.base_path}/openapi.json"
    async with caller(app) as http:
        monkeypatch.setattr(openapi_served, "__name__", "landline.chassis.no_such_module")
        answer = await http.get(path, timeout=120)
        assert (answer.status_code, answer.json()["code"]) == (503, "no_document")
        monkeypatch.undo()
        assert (await http.get(path, timeout=120)).status_code == 200
