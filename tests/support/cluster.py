"""A Redis Cluster for tests: three masters on 127.0.0.1, all 16,384 slots; a replica each on request."""

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
# What architecture 3.2 asks of primaries with replicas; the rest makes tests quick.
REPLICATED = {
    "masterauth": PASSWORD,
    "min-replicas-to-write": "1",
    "repl-diskless-sync-delay": "0",
    "repl-ping-replica-period": "1",
}
_UP_WITHIN_S = 20.0


class ValkeyCluster:
    """Three masters, then their replicas. `url` names the first; `nodes` have kill(), stop(), start()."""

    def __init__(self, folder: Path, *, replicas: bool = False) -> None:
        count = MASTERS * 2 if replicas else MASTERS
        self.nodes = [self._node(folder / f"node{n}", replicas) for n in range(count)]

    @property
    def url(self) -> str:
        """For `redis_mode=cluster`."""
        return self.nodes[0].url()

    @staticmethod
    def _node(folder: Path, replicas: bool) -> Valkey:
        folder.mkdir()
        # The bus port is ours to choose: the default, port + 10000, may not exist.
        settings = {
            "cluster-enabled": "yes",
            "cluster-port": str(free_port()),
            "cluster-node-timeout": "2000",
            **(REPLICATED if replicas else {}),
        }
        return Valkey(folder / "data", PASSWORD, folder / "valkey.log", kind=kind(), settings=settings)

    def start(self) -> None:
        """Start all, share out the slots, introduce the nodes, wait until each sees a whole cluster."""
        for node in self.nodes:
            node.start()
        clients: list[Any] = [redis.Redis.from_url(node.url()) for node in self.nodes]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for number, client in enumerate(clients[:MASTERS]):
            first, last = SLOTS * number // MASTERS, SLOTS * (number + 1) // MASTERS - 1
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        for node in self.nodes[1:]:
            bus = node.setting("cluster-port")
            clients[0].execute_command("CLUSTER", "MEET", HOST, node.port, bus)
        self._wait(clients)
        for master, replica in zip(clients, clients[MASTERS:], strict=False):
            replica.execute_command("CLUSTER", "REPLICATE", master.execute_command("CLUSTER", "MYID"))
        for replica in clients[MASTERS:]:
            wait_linked(replica)
        for client in clients:
            client.close()

    def _wait(self, clients: list[Any]) -> None:
        until = time.monotonic() + _UP_WITHIN_S
        while not all(_whole(client, len(clients)) for client in clients):
            if time.monotonic() > until:
                raise TimeoutError("the cluster did not come up")
            time.sleep(0.05)

    def stop(self) -> None:
        """All of them."""
        for node in self.nodes:
            node.stop()


def wait_linked(replica: Any) -> None:
    """Until a replica has all that its primary has."""
    until = time.monotonic() + _UP_WITHIN_S
    while replica.info("replication").get("master_link_status") != "up":
        if time.monotonic() > until:
            raise TimeoutError("the replica does not follow its primary")
        time.sleep(0.05)


def _whole(client: Any, nodes: int) -> bool:
    info = client.execute_command("CLUSTER", "INFO")
    state = info if isinstance(info, dict) else dict(line.split(":", 1) for line in info.decode().split())
    return state["cluster_state"] == "ok" and int(state["cluster_known_nodes"]) == nodes


@contextmanager
def running_cluster(*, replicas: bool = False) -> Iterator[ValkeyCluster]:
    """A cluster for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="landline-cluster-") as folder:
        cluster = ValkeyCluster(Path(folder), replicas=replicas)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
