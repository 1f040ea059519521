"""A Redis Cluster for tests: three masters on 127.0.0.1, all 16,384 slots, no replicas."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from landline.chassis.embedded.process import HOST, free_port
from landline.chassis.embedded.valkey import Valkey

from tests.support.stores import kind

MASTERS = 3
SLOTS = 16384
PASSWORD = "cluster"
_UP_WITHIN_S = 20.0


class ValkeyCluster:
    """Three masters. `url` names the first; `nodes` have kill(), stop(), start()."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [self._node(folder / f"node{n}") for n in range(MASTERS)]

    @property
    def url(self) -> str:
        """For `redis_mode=cluster`."""
        return self.nodes[0].url()

    @staticmethod
    def _node(folder: Path) -> Valkey:
        folder.mkdir()
        # The bus port is ours to choose: the default, port + 10000, may not exist.
        settings = {
            "cluster-enabled": "yes",
            "cluster-port": str(free_port()),
            "cluster-node-timeout": "2000",
        }
        return Valkey(folder / "data", PASSWORD, folder / "valkey.log", kind=kind(), settings=settings)

    def start(self) -> None:
        """Start all, share out the slots, introduce the nodes, wait until each sees a whole cluster."""
        for node in self.nodes:
            node.start()
        clients: list[Any] = [redis.Redis.from_url(node.url()) for node in self.nodes]
        for number, client in enumerate(clients):
            first, last = SLOTS * number // MASTERS, SLOTS * (number + 1) // MASTERS - 1
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        for node in self.nodes[1:]:
            bus = node.setting("cluster-port")
            clients[0].execute_command("CLUSTER", "MEET", HOST, node.port, bus)
        self._wait(clients)
        for client in clients:
            client.close()

    def _wait(self, clients: list[Any]) -> None:
        until = time.monotonic() + _UP_WITHIN_S
        while not all(_whole(client) for client in clients):
            if time.monotonic() > until:
                raise TimeoutError("the cluster did not come up")
            time.sleep(0.05)

    def stop(self) -> None:
        """All of them."""
        for node in self.nodes:
            node.stop()


def _whole(client: Any) -> bool:
    info = client.execute_command("CLUSTER", "INFO")
    state = info if isinstance(info, dict) else dict(line.split(":", 1) for line in info.decode().split())
    return state["cluster_state"] == "ok" and int(state["cluster_known_nodes"]) == MASTERS


@contextmanager
def running_cluster() -> Iterator[ValkeyCluster]:
    """A cluster for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="landline-cluster-") as folder:
        cluster = ValkeyCluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
