"""A primary, two replicas and three Sentinels on 127.0.0.1, for tests of fail-over."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from landline.chassis.embedded.binaries import valkey_server
from landline.chassis.embedded.process import HOST, Command, Server, answers
from landline.chassis.embedded.valkey import Valkey

from tests.support.cluster import PASSWORD, REPLICATED, wait_linked
from tests.support.stores import kind

NAME = "landline"
_UP_WITHIN_S = 30.0


class Watcher(Server):
    """One Sentinel."""

    def __init__(self, folder: Path, primary_port: int) -> None:
        super().__init__("Sentinel", folder / "sentinel.log")
        self._folder = folder
        self._primary_port = primary_port

    def start(self) -> None:
        """Start, return when commands are answered."""
        self._run()

    def _command(self) -> Command:
        lines = [
            f"port {self.port}",
            f"bind {HOST}",
            f"dir {self._folder}",
            f"sentinel monitor {NAME} {HOST} {self._primary_port} 2",
            f"sentinel auth-pass {NAME} {PASSWORD}",
            f"sentinel down-after-milliseconds {NAME} 700",
            f"sentinel failover-timeout {NAME} 4000",
            f"sentinel parallel-syncs {NAME} 2",
        ]
        path = self._folder / "sentinel.conf"
        path.write_text("\n".join(lines) + "\n")
        return [valkey_server(kind()), path, "--sentinel"]

    def _ready(self) -> bool:
        return b"+PONG" in answers(self.port, b"PING\r\n")


class WatchedRedis:
    """`nodes`: the primary first; `sentinels` for `LANDLINE_REDIS_SENTINELS`."""

    def __init__(self, folder: Path, replicas: int = 2) -> None:
        self._folder = folder
        self.nodes = [self._node(n, {}) for n in range(1 + replicas)]
        self.watchers: list[Watcher] = []

    def _node(self, number: int, settings: dict[str, str]) -> Valkey:
        folder = self._folder / f"node{number}"
        folder.mkdir(exist_ok=True)
        return Valkey(
            folder / "data", PASSWORD, folder / "valkey.log", kind=kind(), settings={**REPLICATED, **settings}
        )

    @property
    def sentinels(self) -> str:
        """host:port,host:port,..."""
        return ",".join(f"{HOST}:{watcher.port}" for watcher in self.watchers)

    @property
    def account(self) -> str:
        """A URL of which only the password counts."""
        return self.nodes[0].url()

    def start(self) -> None:
        """All of them; returns when replicas follow and the Sentinels agree."""
        self.nodes[0].start()
        source = f"{HOST} {self.nodes[0].port}"
        self.nodes[1:] = [self._node(n, {"replicaof": source}) for n in range(1, len(self.nodes))]
        for node in self.nodes[1:]:
            node.start()
            with redis.Redis.from_url(node.url()) as client:
                wait_linked(client)
        for n in range(3):
            folder = self._folder / f"sentinel{n}"
            folder.mkdir(exist_ok=True)
            self.watchers.append(Watcher(folder, self.nodes[0].port))
            self.watchers[-1].start()
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + _UP_WITHIN_S
        while not all(self._agrees(watcher) for watcher in self.watchers):
            if time.monotonic() > until:
                raise TimeoutError("the Sentinels do not find one another")
            time.sleep(0.1)

    def _agrees(self, watcher: Watcher) -> bool:
        with redis.Redis(host=HOST, port=watcher.port) as client:
            found = client.sentinel_master(NAME)
            known = found["num-other-sentinels"], found["num-slaves"]
            return bool(known == (2, len(self.nodes) - 1))

    def primary_port(self) -> int:
        """Who is primary, as the Sentinels say."""
        with redis.Redis(host=HOST, port=self.watchers[0].port) as client:
            return int(client.sentinel_get_master_addr_by_name(NAME)[1])

    def stop(self) -> None:
        """All of them."""
        for server in (*self.watchers, *self.nodes):
            server.stop()


@contextmanager
def running_sentinel(replicas: int = 2) -> Iterator[WatchedRedis]:
    """A watched primary for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="landline-sentinel-") as folder:
        watched = WatchedRedis(Path(folder), replicas)
        try:
            watched.start()
            yield watched
        finally:
            watched.stop()
