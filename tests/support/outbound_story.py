"""Stories of outbound calls through the real app and a real Redis: an edge, a clock, a configured brand."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
from call_control.adapters.placement import Change
from call_control.adapters.read_model import ReadModel
from call_control.main import app
from call_control.wiring import Parts
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from landline.chassis.token_verifier import KEYS_HASH
from landline.contracts.envelope import Envelope, unseal
from landline.contracts.streams import calls as calls_stream
from landline.kernel.clock import SetClock

from tests.support import configured as c
from tests.support.asgi import serving

NOON_MS = 1_795_348_800_000
API = "/api/call-control/v1"
INTERNAL_KEY = "internal-key-of-tests-0123456789abcdef"


class Story:
    """One edge, one brand, one clock. Answers are the JSON of the service."""

    def __init__(self, made: FastAPI, http: httpx.AsyncClient, clock: SetClock) -> None:
        self.app = made
        self.http = http
        self.clock = clock
        self.parts: Parts = made.state.parts
        self.model = ReadModel(self.parts.batch)

    @property
    def now_s(self) -> float:
        """The story's moment, as an edge writes it."""
        return self.clock.now_ms() / 1000

    async def configure(self, *changes: Change) -> None:
        """Rows as they come from provisioning and billing; caches forget as if a second had passed."""
        assert await self.model.apply(changes, self.clock.now_ms()) == []
        self.parts.facts._on_gap()

    async def top_up(self, micros: int, sequence: int = 1) -> None:
        """The ledger says so."""
        await self.parts.postings.set_balance(c.PARTITION, c.CLIENT, sequence, micros)

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """As the edge, unless other headers are given."""
        return await self.http.post(API + path, json=body, headers=headers)

    async def call(self, **changes: Any) -> dict[str, Any]:
        """Ask for an admission; fails unless it is decided."""
        answer = await self.post("/calls", c.call(**changes))
        assert answer.status_code == 200, answer.text
        decision: dict[str, Any] = answer.json()
        return decision

    async def report(self, call: dict[str, Any], what: str, **body: Any) -> int:
        """`ringing`, `answered` or `ended`, now; the HTTP status."""
        answer = await self.post(f"/calls/{call['call_id']}/{what}", {"at": self.now_s, **body})
        return answer.status_code

    async def talk(self, call: dict[str, Any], seconds: float) -> None:
        """Answer now, end after some seconds."""
        assert await self.report(call, "answered") == 204
        self.clock.advance_s(seconds)
        assert await self.report(call, "ended") == 204

    async def usage(self) -> dict[str, Any]:
        """The client's counters, as an operator sees them."""
        answer = await self.http.get(f"{API}/clients/{c.CLIENT}/usage", headers=operator())
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def events(self, type_name: str, partition: int = c.PARTITION) -> list[Envelope]:
        """Events of one type on a partition's stream (the brand's), oldest first."""
        entries: Any = await self.parts.redis.xrange(calls_stream(partition))
        found = [unseal(fields[b"event"]) for _, fields in entries]
        return [event for event in found if event.type == type_name]


def operator() -> dict[str, str]:
    """Headers of a service of the platform, which sees everything."""
    return {"Authorization": f"Bearer {INTERNAL_KEY}"}


class People:
    """Tokens for people, signed by a key of the test's own."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()

    @property
    def public(self) -> dict[str, str]:
        """What provisioning would publish."""
        return {"k1": base64.b64encode(self._key.public_key().public_bytes_raw()).decode()}

    def token(
        self, level: str, brand_id: str | None = None, client_id: str | None = None, sid: str = "s"
    ) -> dict[str, str]:
        """Headers of a person of that level."""
        import time

        claims = {
            "iss": "landline",
            "sub": "admin",
            "sid": sid,
            "lvl": level,
            "bid": brand_id,
            "cid": client_id,
            "iat": time.time(),
            "exp": time.time() + 600,
        }
        return {"Authorization": f"Bearer {jwt.encode(claims, self._key, 'EdDSA', headers={'kid': 'k1'})}"}


PEOPLE = People()


def story_settings(redis_url: str, data: Path, clock: SetClock, **more: Any) -> Settings:
    """Settings of call-control alone: no Postgres unless `more` names one, a clock that the story moves."""
    values: dict[str, Any] = {
        "redis_url": redis_url,
        "data": data,
        "internal_key": INTERNAL_KEY,
        "ticket_key": "ticket-key-of-tests-0123456789abcdef0",
        "secrets_key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        **more,
    }
    settings = Settings(_env_file=None, **values)
    settings.__dict__["clock"] = clock
    return settings


@asynccontextmanager
async def telling(redis_url: str, data: Path, **more: Any) -> AsyncIterator[Story]:
    """A story on an emptied Redis, the brand configured, 10.00 on the client's balance.

    `more`: further settings.
    """
    clock = SetClock(NOON_MS)
    settings = story_settings(redis_url, data, clock, **more)
    redis = await connect(settings)
    await redis.flushall()
    for kid, public in PEOPLE.public.items():
        await redis.hset(KEYS_HASH, kid, public)
    await redis.aclose()
    made = app(settings)
    async with serving(made, {"Authorization": f"Bearer {c.KEY}"}) as http:
        story = Story(made, http, clock)
        await story.configure(*c.everything(data / "rates"))
        await story.top_up(10_000_000)
        yield story
