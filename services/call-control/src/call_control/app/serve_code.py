"""A service code that a device dialled: done once, and answered with the address that tells the caller."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final, Protocol

import msgspec
from msgspec import Meta

from call_control.app.admit_call import Answer
from call_control.app.recorded import CallBusy
from call_control.domain.admission import Case
from call_control.domain.admission.case import ServiceAsked
from call_control.domain.denials import Denial, deny

KEPT_MS: Final = 30_000
_SAID: Final = {"set": "forward_set", "cleared": "forward_cleared", "unchanged": "forward_set"}


class SetsForwards(Protocol):
    """`adapters.forward_codes.ForwardCodes`."""

    async def set_forward(
        self, device_id: str, kind: str, target: str | None, number: str | None
    ) -> str | None: ...


class KeepsAnswers(Protocol):
    """`adapters.call_store.CallStore`, as far as needed here."""

    async def begin_answer(self, partition: int, edge_id: str, attempt_id: str) -> bytes | None: ...
    async def keep_answer(self, partition: int, edge_id: str, attempt_id: str, answer: bytes) -> None: ...


class ServiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and the media address that says so (contracts section 4)."""

    decision: Annotated[str, Meta(description="Always `service`.")] = "service"
    service: Annotated[
        str, Meta(description="What was done: `forward_set`, `forward_cleared` or `voicemail`.")
    ]
    uri: Annotated[str, Meta(description="SIP URI at the media endpoint: send the caller there.")]
    detail: Annotated[str, Meta(description="The same in words, for people.")]


_encode = msgspec.json.Encoder().encode


class ServeCode:
    """Share one per process."""

    def __init__(self, forwards: SetsForwards, answers: KeepsAnswers) -> None:
        self._forwards = forwards
        self._answers = answers

    async def __call__(self, case: Case, asked: ServiceAsked, edge_id: str) -> Answer | Denial:
        """The answer of the attempt, the same when it is repeated; a denial when it can't be done now.

        Raises CallBusy while the same attempt is being served, or an outage error.
        """
        partition, attempt_id = case.brand.partition, case.request.attempt_id
        known = await self._answers.begin_answer(partition, edge_id, attempt_id)
        if known is not None:
            if not known:
                raise CallBusy(attempt_id)
            return Answer(known, "service", "repeated")
        done = await self._done(case, asked)
        if done is None:
            await self._answers.keep_answer(partition, edge_id, attempt_id, b"")
            return replace(deny("service_unavailable", asked.detail), step="service")
        body = _encode(done)
        await self._answers.keep_answer(partition, edge_id, attempt_id, body)
        return Answer(body, "service", done.service)

    async def _done(self, case: Case, asked: ServiceAsked) -> ServiceAnswer | None:
        if asked.service == "voicemail":
            uri = f"sip:vmmenu+{case.device.id}@{case.server}"
            return ServiceAnswer(service="voicemail", uri=uri, detail=asked.detail)
        kind = asked.service.removeprefix("forward_")
        done = await self._forwards.set_forward(case.device.id, kind, asked.target, asked.number)
        if done is None:
            return None
        said = "forward_cleared" if asked.target is None else _SAID[done]
        uri = f"sip:ann+{said.replace('_', '-')}@{case.server}"
        return ServiceAnswer(service=said, uri=uri, detail=asked.detail)
