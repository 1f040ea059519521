"""The live view's middle: each stream is read once by a process, and told to all who watch (issue 5, item 5).

Nobody watches: nothing is read. What a round brings is rendered once for each scope that somebody watches and
handed over as one chunk, so that a thousand watchers cost a thousand hand-overs a round, not a thousand
renderings an event. Who does not keep up is dropped with an event that says so; nobody waits for anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from time import monotonic
from typing import Final, Protocol

import structlog
from landline.contracts.envelope import Envelope, unseal
from prometheus_client import Counter, Gauge

from call_control.domain.live_event import SLACK_MS, EntryId, Position, Scope, sse, told

MOST_WATCHERS: Final = 5_000
MOST_WAITING_BYTES: Final = 512 * 1024
MOST_REPLAYED: Final = 10_000
REPLAY_MS: Final = 14 * 60_000
"""Streams are kept for 15 minutes beyond their readers: nothing older can be told again for sure."""
_ROUND_S: Final = 0.05
_CROWD_S: Final = 0.5
_AT_ONCE: Final = 5
"""A round is handed over to so many watchers, then calls have their turn: a thousand sends in a row would
keep an admission waiting for a tenth of a second."""
_RENDERED_AT_ONCE: Final = 16
"""So many events are rendered, then calls have their turn."""
WATCHERS = Gauge("landline_live_watchers", "Open streams of live call events")
DROPPED = Counter("landline_live_watchers_dropped_total", "Streams closed because their reader was too slow")
log = structlog.get_logger(__name__)

Entries = list[tuple[EntryId, bytes]]


class TooManyWatchers(Exception):
    """This process serves as many as it will."""


class CallStreams(Protocol):
    """`adapters.call_streams.CallStreams`: the partitions' streams, read without a group."""

    async def newest(self) -> dict[int, EntryId]: ...
    async def after(self, positions: Mapping[int, EntryId]) -> tuple[dict[int, Entries], int | None]: ...
    async def between(self, partition: int, after: EntryId, until: EntryId, most: int) -> Entries: ...


class Watcher:
    """One open stream: chunks wait here until they are sent."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.over = False
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._some = asyncio.Event()

    def offer(self, chunk: bytes) -> None:
        """Queue it; a watcher with too much waiting is told that it is dropped, and ends."""
        if self.over:
            return
        self._bytes += len(chunk)
        if self._bytes > MOST_WAITING_BYTES:
            DROPPED.inc()
            self._waiting.clear()
            chunk, self.over = sse("dropped", {"reason": "too slow: what was missed can be asked for"}), True
        self._waiting.append(chunk)
        self._some.set()

    def begin(self, early: list[bytes]) -> None:
        """Put what was before in front of what has come meanwhile."""
        self._waiting.extendleft(reversed(early))
        self._some.set()

    def close(self) -> None:
        """The reader is gone: nothing more is wanted."""
        self.over = True
        self._some.set()

    def end(self, event: str, reason: str) -> None:
        """Say why, then end."""
        if not self.over:
            self.offer(sse(event, {"reason": reason}))
        self.over = True
        self._some.set()

    async def take(self, within_s: float) -> bytes:
        """What waits, b"" when nothing came in time; ends with `over` and nothing more."""
        if not self._waiting and not self.over:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._some.wait()
        self._some.clear()
        taken = b"".join(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return taken


class LiveFeed:
    """Share one per process; `run` must be running."""

    def __init__(self, streams: CallStreams, now_ms: Callable[[], int]) -> None:
        """`now_ms`: the machine's clock, as stream ids are."""
        self._streams = streams
        self._now_ms = now_ms
        self._groups: dict[Scope, set[Watcher]] = defaultdict(set)
        self._positions: dict[int, EntryId] = {}
        self._watermark_ms = 0
        self._starting = asyncio.Lock()
        self._wanted = asyncio.Event()

    @property
    def watchers(self) -> int:
        """How many streams are open."""
        return sum(map(len, self._groups.values()))

    async def watch(self, scope: Scope, partitions: Iterable[int], since: Position | None) -> Watcher:
        """Open a stream: first what came after `since`, then whatever comes. `partitions`: of the scope.

        Raises TooManyWatchers, or what Redis raises.
        """
        if self.watchers >= MOST_WATCHERS:
            raise TooManyWatchers
        async with self._starting:
            if not self._positions:
                self._positions = await self._streams.newest()
                self._watermark_ms = self._now_ms() - SLACK_MS
        # From here to the group's set nothing is awaited: what rounds have taken up is what we replay up to.
        watcher, upto, mine = Watcher(scope), dict(self._positions), sorted(partitions)
        mark = self._watermark_ms
        self._groups[scope].add(watcher)
        self._wanted.set()
        WATCHERS.set(self.watchers)
        try:
            first = mine[0] if mine else 0
            here = Position(mark, first, upto.get(first, EntryId(0, 0)))
            early = [sse("hello", {"resumed": since is not None}, here if since is None else since)]
            if since is not None:
                early += await self._replayed(scope, mine, since, upto)
            watcher.begin(early)
        except BaseException:
            self.leave(watcher)
            raise
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """The stream is closed."""
        watcher.close()
        group = self._groups.get(watcher.scope)
        if group is not None:
            group.discard(watcher)
            if not group:
                del self._groups[watcher.scope]
        WATCHERS.set(self.watchers)

    async def _replayed(
        self, scope: Scope, partitions: list[int], since: Position, upto: Mapping[int, EntryId]
    ) -> list[bytes]:
        if since.oldest_ms < self._now_ms() - REPLAY_MS:
            return [sse("reset", {"reason": "too long ago: ask for the live calls anew"})]
        found: list[tuple[EntryId, int, bytes]] = []
        for k in partitions:
            start, end = since.in_stream(k), upto.get(k, EntryId(0, 0))
            if start < end:
                entries = await self._streams.between(k, start, end, MOST_REPLAYED + 1 - len(found))
                found += [(entry, k, raw) for entry, raw in entries]
            if len(found) > MOST_REPLAYED:
                return [sse("reset", {"reason": "too much happened: ask for the live calls anew"})]
        mark, chunks = since.watermark_ms, []
        for entry, k, raw in sorted(found):
            envelope = _opened(raw)
            if envelope is not None and scope.covers(envelope.brand_id, envelope.client_id):
                chunks.append(_rendered(envelope, scope.as_client, Position(mark, k, entry)))
        return chunks

    async def run(self, stop: asyncio.Event) -> None:
        """Read and tell while somebody watches, until `stop`."""
        while not stop.is_set():
            if not self._groups:
                self._positions = {}
                self._wanted.clear()
                await _first(stop.wait(), self._wanted.wait())
                continue
            pause_s = _ROUND_S + _CROWD_S * min(1.0, self.watchers / 1_000)
            try:
                pause_s -= await self._hand_over(await self._round(), pause_s)
            except Exception as error:
                log.warning("live view waits", error=repr(error)[:200])
                pause_s = 0.5
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), max(0.001, pause_s))
        for watcher in [each for group in self._groups.values() for each in group]:
            watcher.end("bye", "this server stops: connect again")

    async def _hand_over(self, parts: list[tuple[Watcher, bytes]], within_s: float) -> float:
        """Offer each watcher its chunk, a few at a time, over most of the round; the seconds that took.

        Who comes meanwhile is not among them: it replays what this round brought.
        """
        begun, step_s = monotonic(), 0.8 * within_s * _AT_ONCE / max(1, len(parts))
        for start in range(0, len(parts), _AT_ONCE):
            for watcher, chunk in parts[start : start + _AT_ONCE]:
                watcher.offer(chunk)
            if start + _AT_ONCE < len(parts):
                await asyncio.sleep(step_s)
        return monotonic() - begun

    async def _round(self) -> list[tuple[Watcher, bytes]]:
        """Read what has come, and render it for those who watched when it came. From the moment in which the
        positions move, who begins to watch replays this round itself."""
        begun_ms = self._now_ms()
        found, full_ms = await self._streams.after(self._positions)
        watching = {scope: tuple(group) for scope, group in self._groups.items()}
        for k, entries in found.items():
            self._positions[k] = entries[-1][0]
        rows = sorted((entry, k, raw) for k, entries in found.items() for entry, raw in entries)
        chunks = await self._told(rows, watching.keys())
        self._watermark_ms = max(
            self._watermark_ms, min(begun_ms - SLACK_MS, begun_ms if full_ms is None else full_ms)
        )
        return [(watcher, chunk) for scope, chunk in chunks.items() for watcher in watching[scope]]

    async def _told(
        self, rows: list[tuple[EntryId, int, bytes]], watched: Collection[Scope]
    ) -> dict[Scope, bytes]:
        """One chunk a watched scope; an event is rendered once for operators and once for clients."""
        chunks: dict[Scope, list[bytes]] = defaultdict(list)
        for n, (entry, k, raw) in enumerate(rows, start=1):
            if n % _RENDERED_AT_ONCE == 0:
                await asyncio.sleep(0)
            envelope = _opened(raw)
            if envelope is None:
                continue
            position = Position(self._watermark_ms, k, entry)
            rendered: dict[bool, bytes] = {}
            for scope in _scopes(envelope):
                if scope in watched:
                    text = rendered.get(scope.as_client)
                    if text is None:
                        text = rendered[scope.as_client] = _rendered(envelope, scope.as_client, position)
                    chunks[scope].append(text)
        return {scope: b"".join(parts) for scope, parts in chunks.items()}


def _scopes(envelope: Envelope) -> list[Scope]:
    """Every scope that covers an event."""
    brand_id, client_id = envelope.brand_id, envelope.client_id
    scopes = [Scope()]
    if brand_id is not None:
        scopes.append(Scope(brand_id))
    if client_id is not None:
        scopes += [Scope(brand_id, client_id), Scope(brand_id, client_id, as_client=True)]
    return scopes


def _opened(raw: bytes) -> Envelope | None:
    try:
        return unseal(raw)
    except ValueError:  # a foreign entry harms nobody
        return None


def _rendered(envelope: Envelope, as_client: bool, position: Position) -> bytes:
    try:
        data = told(envelope, as_client)
    except ValueError:
        data = None
    return b"" if data is None else sse(envelope.type.rpartition(".v")[0], data, position)


async def _first(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
