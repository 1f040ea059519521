"""`/dev`: the mails this run caught, and the test clock. Answers this machine only."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, StrictFloat, StrictInt, StrictStr

from landline.chassis.embedded.mailbox import Mailbox
from landline.chassis.problems import FieldError, InvalidInput, NotFound
from landline.chassis.settings import Settings
from landline.kernel.clock import SharedOffsetClock, iso, to_ms

_LATEST_S = 253_402_300_799  # the last second of the year 9999


class Now(BaseModel):
    """A moment: ISO 8601 with a zone, or seconds since the epoch."""

    model_config = {"extra": "forbid"}
    now: StrictInt | StrictFloat | StrictStr = Field(examples=["2026-11-22T21:00:00Z", 1795381200])

    def to_ms(self) -> int:
        """In milliseconds since the epoch; InvalidInput when it is no moment."""
        try:
            ms = (
                to_ms(datetime.fromisoformat(self.now))
                if isinstance(self.now, str)
                else round(self.now * 1000)
            )
        except (ValueError, OverflowError):
            raise _bad("not a time with a zone, nor seconds since the epoch") from None
        if not 0 <= ms <= _LATEST_S * 1000:
            raise _bad("outside the years 1970 to 9999")
        return ms


def _bad(message: str) -> InvalidInput:
    return InvalidInput([FieldError("now", "invalid_time", message)])


def _local_only(request: Request) -> None:
    host = request.client.host if request.client else ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise NotFound("only from this machine")


def dev_router(settings: Settings) -> APIRouter:
    """The routes below /dev."""
    router = APIRouter(prefix="/dev", dependencies=[Depends(_local_only)])
    mailbox = Mailbox(settings.data / "mails")

    @router.get("/mails")
    def mails(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[dict[str, Any]]:
        """The newest mails first."""
        return mailbox.newest(limit)

    @router.get("/clock")
    async def clock() -> dict[str, str]:
        """What time it is for this run."""
        return {"now": iso(settings.clock.now_ms())}

    @router.post("/clock")
    async def set_clock(body: Now) -> dict[str, str]:
        """Make it that moment in every process of the run; time goes on from there."""
        if not isinstance(settings.clock, SharedOffsetClock):
            raise NotFound("the clock moves only with LANDLINE_TEST_CLOCK=1")
        settings.clock.set_ms(body.to_ms())
        return {"now": iso(settings.clock.now_ms())}

    return router
