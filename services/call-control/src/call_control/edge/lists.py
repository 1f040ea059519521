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

    call_id: Annotated[
        str, Meta(max_length=64, description="As told by the allow; also those of its `legs`.")
    ]
    state: Annotated[
        str, Meta(max_length=16, description="`admitted`, `ringing` or `answered`, as the edge sees it.")
    ] = "answered"
    answered_at: Annotated[
        At | None,
        Meta(
            description="When it was answered: ISO 8601 with a zone, or epoch seconds with a fraction; "
            "null before that. Counts as the report."
        ),
    ] = None
    ticket: Annotated[
        Annotated[str, Meta(max_length=2048)] | None,
        Meta(description="The allow's ticket; in a resync only, where a call without one can't be restored."),
    ] = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `/edges/heartbeat`: one page of at most 100 calls."""

    instance_id: Annotated[
        Text,
        Meta(description="Names this edge process's installation; one edge key belongs to one instance."),
    ]
    boot_id: Annotated[
        Text, Meta(description="New at each start of the edge: a new one ends the calls of the old one.")
    ]
    seq: Annotated[
        int,
        Meta(
            ge=0,
            le=2**53,
            description="Counts pages, from 0 or 1 in each list or on through all lists: a gap spoils "
            "the list.",
        ),
    ]
    taken_at: Annotated[
        At,
        Meta(description="When this page was taken: ISO 8601 with a zone, or epoch seconds with a fraction."),
    ]
    last: Annotated[
        bool, Meta(description="The last page of a list. Calls absent from two complete lists have ended.")
    ] = True
    calls: Annotated[
        list[ListedCall], Meta(max_length=100, description="Live calls, at most 100 a page.")
    ] = []


class Resync(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `/edges/resync`: tickets of live calls that we said not to know."""

    calls: Annotated[
        list[ListedCall],
        Meta(
            max_length=100,
            description="Live and recently ended calls with their tickets, at most 100: send several.",
        ),
    ]


class Extension(msgspec.Struct, frozen=True):
    """A call may last longer than its edge was told."""

    call_id: Annotated[str, Meta(description="A call of this page.")]
    max_duration_s: Annotated[int, Meta(description="Its new bound, in seconds from its answer.")]


class HeartbeatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the edge must do."""

    hang_up: Annotated[
        tuple[str, ...],
        Meta(
            description="Ids of calls to end now with BYE: their money is used up, or they are over in "
            "our books."
        ),
    ]
    unknown: Annotated[
        tuple[str, ...], Meta(description="Ids that we do not know. Never end them for it: resync first.")
    ]
    extend: Annotated[list[Extension], Meta(description="Calls whose own timer is to be raised.")]
    resync: Annotated[
        bool, Meta(description="Send `POST /edges/resync` with the tickets of the unknown calls.")
    ]


class ResyncAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the calls are known by now; the others can't be proved and are the edge's to end."""

    restored: Annotated[
        tuple[str, ...], Meta(description="Ids of calls that are known now, restored or not.")
    ]
    unknown: Annotated[
        list[str],
        Meta(description="Ids that no ticket proves as this edge's: end them, emergency calls excepted."),
    ]


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
