"""`POST /edges/heartbeat` and `/edges/resync`: an edge's live calls, page by page."""

from __future__ import annotations

from typing import Annotated

import msgspec
from landline.chassis.problems import Unavailable
from landline.kernel.clock import Clock
from landline.kernel.ids import CallId, NotACallId
from msgspec import Meta
from starlette.types import Receive, Scope, Send

from call_control.app.call_port import Calls, EdgeStates
from call_control.app.heartbeat import Named, heartbeat, resync
from call_control.app.recorded import CallBusy
from call_control.domain.edge_list import Page
from call_control.edge.auth import EdgeAuth
from call_control.edge.calls import At
from call_control.edge.endpoint import Endpoint, json_answer
from call_control.edge.reading import BodyReader, moment_ms, read_body

Text = Annotated[str, Meta(min_length=1, max_length=64)]


class ListedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call as an edge lists it; `ticket` in a resync only."""

    call_id: Annotated[str, Meta(max_length=64)]
    state: Annotated[str, Meta(max_length=16)] = "answered"
    answered_at: At | None = None
    ticket: Annotated[str, Meta(max_length=2048)] | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `/edges/heartbeat`: one page of at most 100 calls."""

    instance_id: Text
    boot_id: Text
    seq: Annotated[int, Meta(ge=0, le=2**53)]
    taken_at: At
    last: bool = True
    calls: Annotated[list[ListedCall], Meta(max_length=100)] = []


class Resync(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `/edges/resync`: tickets of live calls that we said not to know."""

    calls: Annotated[list[ListedCall], Meta(max_length=100)]


class Extension(msgspec.Struct, frozen=True):
    """A call may last longer than its edge was told."""

    call_id: str
    max_duration_s: int


class HeartbeatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the edge must do."""

    hang_up: tuple[str, ...]
    unknown: tuple[str, ...]
    extend: list[Extension]
    resync: bool


class ResyncAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the calls are known by now; the others can't be proved and are the edge's to end."""

    restored: tuple[str, ...]
    unknown: list[str]


_encode = msgspec.json.Encoder().encode


class Lists:
    """What both endpoints share."""

    def __init__(
        self, auth: EdgeAuth, calls: Calls, edges: EdgeStates, clock: Clock, silent_ms: int, ticket_key: bytes
    ) -> None:
        self.auth = auth
        self.calls = calls
        self.edges = edges
        self.clock = clock
        self.silent_ms = silent_ms
        self.ticket_key = ticket_key


class HeartbeatEndpoint(Endpoint):
    """`POST /edges/heartbeat`."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._reader = BodyReader(Heartbeat)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with what to hang up, what is unknown, what may last longer."""
        lists = self._lists
        edge = await lists.auth(scope)
        body: Heartbeat = self._reader.read(await read_body(receive))
        page = Page(body.instance_id, body.boot_id, body.seq, body.last, moment_ms(body.taken_at, "taken_at"))
        named = [_named(call) for call in body.calls]
        ours = [call for call in named if _is_call_id(call.call_id)]
        try:
            answer = await heartbeat(
                lists.calls, lists.edges, edge.id, page, ours, lists.clock.now_ms(), lists.silent_ms
            )
        except CallBusy as error:
            raise Unavailable(str(error), code=error.code) from None
        foreign = tuple(call.call_id for call in named if not _is_call_id(call.call_id))
        said = HeartbeatAnswer(
            hang_up=answer.hang_up,
            unknown=(*answer.unknown, *foreign),
            extend=[Extension(call_id, bound_s) for call_id, bound_s in answer.extend.items()],
            resync=answer.resync,
        )
        await json_answer(send, _encode(said))


class ResyncEndpoint(Endpoint):
    """`POST /edges/resync`."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._reader = BodyReader(Resync)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with the calls that are known by now."""
        lists = self._lists
        edge = await lists.auth(scope)
        body: Resync = self._reader.read(await read_body(receive))
        tickets = [(_named(c), c.ticket or "") for c in body.calls if _is_call_id(c.call_id)]
        try:
            restored = await resync(
                lists.calls, tickets, lists.clock.now_ms(), lists.silent_ms, lists.ticket_key, edge.id
            )
        except CallBusy as error:
            raise Unavailable(str(error), code=error.code) from None
        unknown = [call.call_id for call in body.calls if call.call_id not in restored]
        await json_answer(send, _encode(ResyncAnswer(restored=restored, unknown=unknown)))


def _named(call: ListedCall) -> Named:
    answered_ms = None if call.answered_at is None else moment_ms(call.answered_at, "calls.answered_at")
    return Named(call.call_id, call.state, answered_ms)


def _is_call_id(text: str) -> bool:
    try:
        CallId.parse(text)
    except NotACallId:
        return False
    return True
