"""deploy/compose.yaml as it runs: started, asked, looked into and taken down as an operator does it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from landline.chassis.embedded.rest_client import RestClient

from tests.support.stack import ADMIN_PASSWORD, free_port
from tests.support.world import until

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "tests" / "containers" / "engine"
START_WITHIN_S = 240


@contextmanager
def running_engine() -> Iterator[dict[str, str]]:
    """The environment of a container engine; one that had to be started is stopped at the end.

    Fails with the reason where none can be had: a test that did not run must not look like one that passed.
    """
    if os.environ.get("LANDLINE_KEEP_ENGINE"):  # while one works on these tests
        yield _started()
        return
    try:
        yield _started()
    finally:
        subprocess.run([ENGINE, "down"], check=False)


def _started() -> dict[str, str]:
    made = subprocess.run([ENGINE, "up"], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.fail(f"tests/containers/engine up: {made.stderr.strip()}", pytrace=False)
    return dict(line.split("=", 1) for line in made.stdout.splitlines())


class Containers:
    """One project. Ports and subnet are free ones; secrets are made by deploy/make-secrets in `folder`."""

    def __init__(self, folder: Path, engine: Mapping[str, str]) -> None:
        self.project = f"landline-tests-{secrets.token_hex(3)}"
        self.secrets = folder / "secrets"
        self.net = f"172.30.{secrets.randbelow(200) + 20}"
        ports = {name: free_port() for name in ("http", "https", "internal", "kamailio", "ng", "prometheus")}
        self.url = f"http://127.0.0.1:{ports['http']}"
        self.internal_url = f"http://127.0.0.1:{ports['internal']}"
        self.control_url = f"http://{self.net}.1:8091/"
        self.env = {
            **os.environ,
            **engine,
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_FILE": f"{ROOT}/deploy/compose.yaml:{ROOT}/tests/containers/compose.tests.yaml",
            "COMPOSE_PROGRESS": "plain",
            "COMPOSE_BAKE": "false",  # it asks by hand for the host's network
            "LANDLINE_VERSION": "tests",
            "LANDLINE_SECRETS": str(self.secrets),
            "LANDLINE_SUBNET": f"{self.net}.0/24",
            "LANDLINE_HTTP_BIND": f"127.0.0.1:{ports['http']}",
            "LANDLINE_HTTPS_BIND": f"127.0.0.1:{ports['https']}",
            "LANDLINE_INTERNAL_BIND": f"127.0.0.1:{ports['internal']}",
            "LANDLINE_PROMETHEUS_BIND": f"127.0.0.1:{ports['prometheus']}",
            "LANDLINE_PUBLIC_URL": self.url,
            "LANDLINE_EDGE_AGENT": f"{self.net}.1:8091",
            "LANDLINE_EDGE_KAMAILIO_PORT": str(ports["kamailio"]),
            "LANDLINE_EDGE_RTPENGINE": f"127.0.0.1:{ports['ng']}",
        }

    def make_secrets(self) -> None:
        """As the operator does; the admin's password is the tests'."""
        subprocess.run([ROOT / "deploy" / "make-secrets", self.secrets], check=True, env=self.env)
        (self.secrets / "admin_password").write_text(ADMIN_PASSWORD)

    def compose(self, *words: str, timeout_s: float = 120) -> str:
        """`docker compose words`; its output. AssertionError with what it said when it fails."""
        done = self.tried(*words, timeout_s=timeout_s)
        assert done.returncode == 0, (
            f"docker compose {' '.join(words)}:\n{done.stdout}\n{done.stderr[-6000:]}"
        )
        return done.stdout

    def tried(self, *words: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """The same, however it ends."""
        command = ["docker", "compose", *words]
        return subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def up(self, *words: str) -> None:
        """Start (`*words, up`), and wait until everybody is healthy; what the unhealthy said otherwise."""
        done = self.tried(*words, "up", "--detach", "--wait", timeout_s=START_WITHIN_S)
        if done.returncode != 0:
            logs = self.tried("logs", "--no-color", "--tail", "15").stdout
            pytest.fail(f"compose up:\n{done.stderr[-3000:]}\n{logs[-8000:]}", pytrace=False)

    def build(self) -> None:
        """All images, the edge's too."""
        self.compose("--profile", "edge", "build", "--quiet", timeout_s=600)

    def down(self) -> None:
        """Nothing is left: containers, networks, volumes."""
        self.tried("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5")

    def inspected(self) -> dict[str, dict[str, Any]]:
        """What the engine says of every container, by the name of its service."""
        ids = self.compose("--profile", "*", "ps", "--all", "--quiet").split()
        told = subprocess.run(["docker", "inspect", *ids], env=self.env, capture_output=True, check=True)
        return {
            each["Config"]["Labels"]["com.docker.compose.service"]: each for each in json.loads(told.stdout)
        }

    def run_in(self, service: str, *words: str) -> subprocess.CompletedProcess[str]:
        """A command in a running container."""
        return self.tried("exec", "--no-TTY", service, *words)

    def passes(self, service: str, *words: str) -> str:
        """The same; what it printed. AssertionError unless it ends well."""
        done = self.run_in(service, *words)
        assert done.returncode == 0, f"{service} {' '.join(words)}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def wait_ready(self) -> None:
        """Whoever asks is answered."""
        until(lambda: httpx.get(f"{self.url}/healthz").status_code == 200, "the proxy answers")

    def admin(self) -> RestClient:
        """REST as the platform admin."""
        return RestClient.login(self.url, "admin", ADMIN_PASSWORD)

    def assert_books_hold(self) -> None:
        """Counters, ledger and records agree, by the services' own commands."""
        self.passes("billing", "billing", "audit")
        self.passes("call-control", "call-control", "reconcile")


@contextmanager
def running_containers(folder: Path, engine: Mapping[str, str]) -> Iterator[Containers]:
    """All but the edge, which needs a key of this platform first."""
    containers = Containers(folder, engine)
    containers.make_secrets()
    try:
        containers.build()
        containers.up()
        yield containers
    finally:
        containers.down()
