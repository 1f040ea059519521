"""`POST /calls` and its reports, and the no-op that the bench compares with. Bare ASGI endpoints."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, Literal

import msgspec
from landline.chassis.problems import Conflict, NotFound, Unavailable
from landline.kernel.clock import Clock
from landline.kernel.ids import CallId, NotACallId
from msgspec import Meta
from starlette.types import Receive, Scope, Send

from call_control.adapters.spool import Spool
from call_control.app.admit_call import AdmitCall, AttemptReused, CallOver
from call_control.app.call_port import Calls
from call_control.app.late_prices import LatePrices
from call_control.app.move_on import AlreadyTalking, Failure, MoveOn, NotHere, TooLate
from call_control.app.record_answer import record_answer
from call_control.app.record_end import EndReport, record_end, remembered_by
from call_control.app.record_ringing import record_ringing
from call_control.app.recorded import CallBusy, Recorded, foreign
from call_control.domain.admission.request import UuidText
from call_control.edge.auth import EdgeAuth
from call_control.edge.endpoint import NO_CONTENT, OUTAGE, Endpoint, json_answer
from call_control.edge.reading import BodyReader, moment_ms, read_body, read_call_request, refuse_control
from call_control.edge.tallies import SPOOLED, admission_counter

At = str | float | int
Id = Annotated[str, Meta(max_length=64)]
NOOP_BODY: Final = b'{"decision":"allow","padding":"' + b"x" * (700 - 33) + b'"}'


class Ringing(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `/calls/{id}/ringing`."""

    at: Annotated[
        At,
        Meta(description="When the first 18x came: ISO 8601 with a zone, or epoch seconds with a fraction."),
    ]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `/calls/{id}/answered`. `handle` names the dialog at the edge, for its commands."""

    at: Annotated[
        At,
        Meta(
            description="When the 2xx was passed on: ISO 8601 with a zone, or epoch seconds with a "
            "fraction. Billing starts here."
        ),
    ]
    server_id: Annotated[
        UuidText | None,
        Meta(description="`server_id` of the route that answered; null for a call to a device or a box."),
    ] = None
    handle: Annotated[
        dict[str, Any] | None,
        Meta(
            description="What names the dialog at the edge (Kamailio: h_entry, h_id, from_tag, to_tag). "
            "Accepted and not kept."
        ),
    ] = None
    leg_call_id: Annotated[
        Id | None,
        Meta(
            description="`child_call_id` of the leg that was reached, when several calls share this SIP "
            "dialog. The others are closed."
        ),
    ] = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One carrier server that was tried, and how it answered."""

    server_id: Annotated[UuidText | None, Meta(description="`server_id` of the route that was tried.")] = None
    sip_code: Annotated[
        Annotated[int, Meta(ge=0, le=999)] | None,
        Meta(description="Its final answer; 0 or null when it gave none."),
    ] = None
    ms: Annotated[
        Annotated[int, Meta(ge=0, le=2**31)] | None,
        Meta(description="How long the attempt lasted, in milliseconds."),
    ] = None


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `/calls/{id}/ended`."""

    at: Annotated[
        At,
        Meta(
            description="When the dialog, or the last attempt, ended: ISO 8601 with a zone, or epoch "
            "seconds with a fraction."
        ),
    ]
    answered_at: Annotated[
        At | None,
        Meta(
            description="When it was answered: ISO 8601 with a zone, or epoch seconds with a fraction; "
            "null when it was not. Counts as the report of the answer if that was lost."
        ),
    ] = None
    sip_code: Annotated[
        Annotated[int, Meta(ge=100, le=699)] | None,
        Meta(description="The final answer that the caller got; null when there was none."),
    ] = None
    # The end is written as "nothing follows": `$` would let a last newline pass.
    cause: Annotated[
        str,
        Meta(
            max_length=64,
            pattern=r"^[A-Za-z0-9_-]*(?![\s\S])",
            description="Why, as a word that stands in the record: `normal`, `media_timeout`, "
            "`max_duration`...",
        ),
    ] = "normal"
    ended_by: Annotated[
        Literal["caller", "callee", "system", "edge"],
        Meta(description="Who ended it; `edge` for timers and failures of the edge's own."),
    ] = "edge"
    server_id: Annotated[
        UuidText | None, Meta(description="`server_id` of the route that took the call; null when none did.")
    ] = None
    attempts: Annotated[
        list[Attempt],
        Meta(max_length=20, description="The servers that were tried, in order, for the record."),
    ] = []
    leg_call_id: Annotated[
        Id | None,
        Meta(description="As in `answered`: the leg that was reached, when several calls share the dialog."),
    ] = None
    ticket: Annotated[
        Annotated[str, Meta(max_length=2048)] | None,
        Meta(description="The ticket of the allow. Proves the call should we have lost it; good for 23 h."),
    ] = None


class Admission(Endpoint):
    """`POST /calls`: one decision, one Redis round trip when the facts are in memory."""

    def __init__(self, auth: EdgeAuth, admit: AdmitCall) -> None:
        self._auth = auth
        self._admit = admit

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with the decision; 409 `call_over` for an attempt whose call has ended."""
        edge = await self._auth(scope)
        request = read_call_request(await read_body(receive))
        try:
            answer = await self._admit(request, edge.id)
        except AttemptReused:
            raise Conflict(
                "attempt_reused", "this attempt_id belongs to another call: make a new one"
            ) from None
        except CallOver:
            raise Conflict("call_over", "the call of this attempt has ended") from None
        except CallBusy as error:
            raise Unavailable(str(error), code=error.code) from None
        admission_counter(answer.decision, answer.reason)()
        await json_answer(send, answer.body)


class Noop(Endpoint):
    """`POST /noop`: authenticates, reads the body, answers 700 bytes: no admission can be faster."""

    def __init__(self, auth: EdgeAuth) -> None:
        self._auth = auth

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with a constant."""
        await self._auth(scope)
        await read_body(receive)
        await json_answer(send, NOOP_BODY)


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `/calls/{id}/failed`. `target`: its aor or uri; `sip_code`: 0 when it said nothing;
    `redirect_to`: the Contact of a 302."""

    target: Annotated[
        str,
        Meta(
            max_length=256,
            description="The aor or uri of the target that failed, as given in `targets`; only told in "
            "the denial.",
        ),
    ] = ""
    sip_code: Annotated[
        int,
        Meta(
            ge=0,
            le=699,
            description="Its final answer: 486, 600, 603 busy; 408, 480, 487 no answer; any other, and "
            "0 for none: not registered.",
        ),
    ]
    redirect_to: Annotated[
        Annotated[str, Meta(max_length=256)] | None,
        Meta(
            description="The Contact of a 302: the call is forwarded to its user part. Null for any "
            "other answer."
        ),
    ] = None


class FailedEndpoint(Endpoint):
    """`POST /calls/{call_id}/failed`: what comes next for a call whose target did not take it."""

    def __init__(self, auth: EdgeAuth, move_on: MoveOn) -> None:
        self._auth = auth
        self._move_on = move_on
        self._reader = BodyReader(Failed)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with a decision; 404 for a call that is not ours; 409 for one that talks or is over."""
        edge = await self._auth(scope)
        body: Failed = self._reader.read(await read_body(receive))
        refuse_control("target", body.target)
        refuse_control("redirect_to", body.redirect_to or "")
        failure = Failure(body.target, body.sip_code, body.redirect_to)
        try:
            answer = await self._move_on(scope["path_params"]["call_id"], failure, edge.id)
        except (NotHere, NotACallId):
            raise NotFound("no such call") from None
        except (TooLate, CallOver):
            raise Conflict("call_over", "the call has ended") from None
        except AlreadyTalking:
            raise Conflict("call_answered", "the call was answered: no target has failed") from None
        except CallBusy as error:
            raise Unavailable(str(error), code=error.code) from None
        admission_counter(answer.decision, answer.reason)()
        await json_answer(send, answer.body)


class Reports:
    """What the report endpoints share."""

    def __init__(
        self,
        auth: EdgeAuth,
        calls: Calls,
        clock: Clock,
        silent_ms: int,
        ticket_key: bytes,
        spool: Spool,
        late: LatePrices,
    ) -> None:
        self.spool = spool
        self.late = late
        self.auth = auth
        self.calls = calls
        self.clock = clock
        self.silent_ms = silent_ms
        self.ticket_key = ticket_key


class Report(Endpoint):
    """`POST /calls/{call_id}/ringing | answered | ended`: repeated 204 too, unknown or another edge's 404."""

    kind: type[msgspec.Struct]

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._reader = BodyReader(self.kind)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One report."""
        edge = await self._reports.auth(scope)
        body = self._reader.read(await read_body(receive))
        call_id = scope["path_params"]["call_id"]
        try:
            CallId.parse(call_id)
            recorded = await self.record(call_id, body, self._reports.clock.now_ms(), edge.id)
        except NotACallId:
            recorded = Recorded.UNKNOWN
        except CallBusy as error:
            raise Unavailable(str(error), code=error.code) from None
        if recorded is Recorded.UNKNOWN:
            raise NotFound("no such call")
        await send(NO_CONTENT)
        await send({"type": "http.response.body", "body": b""})

    async def record(self, call_id: str, body: Any, now_ms: int, edge_id: str) -> Recorded:
        """Do what the report says."""
        raise NotImplementedError


class RingingReport(Report):
    """The called side rings."""

    kind = Ringing

    async def record(self, call_id: str, body: Ringing, now_ms: int, edge_id: str) -> Recorded:
        """Once; late or repeated is fine."""
        return await record_ringing(self._reports.calls, call_id, moment_ms(body.at), now_ms, edge_id)


class AnsweredReport(Report):
    """Conversation begins."""

    kind = Answered

    async def record(self, call_id: str, body: Answered, now_ms: int, edge_id: str) -> Recorded:
        """Starts the lease."""
        reports = self._reports
        at_ms = moment_ms(body.at)
        return await record_answer(
            reports.calls,
            call_id,
            at_ms,
            body.server_id,
            now_ms,
            reports.silent_ms,
            body.leg_call_id,
            edge_id,
        )


class EndedReport(Report):
    """The call is over."""

    kind = Ended

    async def record(self, call_id: str, body: Ended, now_ms: int, edge_id: str) -> Recorded:
        """Settles it once."""
        report = EndReport(
            ended_ms=moment_ms(body.at),
            answered_ms=None if body.answered_at is None else moment_ms(body.answered_at, "answered_at"),
            cause=body.cause,
            ended_by=body.ended_by,
            sip_code=body.sip_code,
            server_id=body.server_id,
            attempts=tuple(msgspec.to_builtins(each) for each in body.attempts),
            ticket=body.ticket,
            leg_call_id=body.leg_call_id,
        )
        reports = self._reports
        try:
            return await record_end(
                reports.calls, call_id, report, now_ms, reports.ticket_key, reports.late, edge_id
            )
        except OUTAGE:
            known = remembered_by(report.ticket, call_id, now_ms, reports.ticket_key)
            if known is None or not known.facts.outage or foreign(known, edge_id):
                raise  # the edge repeats it; what Redis knows of the call is there when it is back
            await asyncio.to_thread(reports.spool.keep, call_id, report)
            SPOOLED.inc()
            return Recorded.DONE
