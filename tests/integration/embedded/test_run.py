"""A run from its start to its last process, with people and kill -9 in between."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from tests.integration.embedded.conftest import Start
from tests.support.stack import Stack


def until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    """Wait for it, or fail."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def get(stack: Stack, path: str) -> httpx.Response:
    return httpx.get(f"{stack.url}{path}", timeout=20)


def rows(stack: Stack, service: str = "alpha") -> int:
    """Add a row through the service and its own database role; how many there are."""
    answer = httpx.post(f"{stack.url}/api/{service}/v1/rows", timeout=20)
    return int(answer.json()["rows"])


def answers(stack: Stack, pid_before: int) -> bool:
    try:
        return bool(get(stack, "/api/alpha/v1/pid").json()["pid"] != pid_before)
    except httpx.TransportError:
        return False


def test_all_services_answer_on_one_port(start: Start) -> None:
    """Contracts section 1: one origin, each service below its own path."""
    stack = start()
    pids = {get(stack, f"/api/{name}/v1/pid").json()["pid"] for name in ("alpha", "beta")}
    assert pids == {stack.processes()["web"].pid}
    assert get(stack, "/readyz").json()["components"] == {
        "alpha.postgres": None,
        "beta.postgres": None,
        "work": None,
    }
    assert get(stack, "/healthz").status_code == 200
    assert "landline_http" in get(stack, "/metrics").text
    assert "python_info" in get(stack, "/metrics/work").text
    assert "/api/alpha/v1/docs" in get(stack, "/").text
    assert get(stack, "/api/gamma/v1/pid").status_code == 404
    assert get(stack, "/api/alpha").status_code == 404


def test_ctrl_c_ends_everything_and_a_second_start_finds_the_data(start: Start) -> None:
    """A demo that forgets, or leaves a database running, is worse than none."""
    stack = start()
    assert [rows(stack), rows(stack), rows(stack, "beta")] == [1, 2, 1]
    processes = list(stack.processes().values())
    family = [*processes, *(child for p in processes for child in p.children(recursive=True))]
    assert stack.stop() == 0
    assert [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    stack.start()
    assert rows(stack) == 3


def test_sigterm_ends_it_too(start: Start) -> None:
    """What a process manager sends."""
    stack = start()
    stack.processes()["supervisor"].send_signal(signal.SIGTERM)
    assert stack.stop() == 0
    assert "stopping" in stack.output.read_text()


def test_a_killed_process_is_replaced_and_requests_wait_for_it(start: Start) -> None:
    """The socket is the supervisor's: a restart of `web` refuses nobody."""
    stack = start()
    web = stack.processes()["web"].pid
    stack.kill("web")
    assert get(stack, "/api/alpha/v1/pid").json()["pid"] != web
    work = stack.processes()["work"].pid
    stack.kill("work")
    until(lambda: "work" in stack.processes() and stack.processes()["work"].pid != work)
    until(lambda: get(stack, "/readyz").status_code == 200)


def test_killed_stores_come_back_with_their_data(start: Start) -> None:
    """One bad moment of a store must not end a demo, nor lose what was acknowledged."""
    stack = start()
    assert rows(stack) == 1
    before = {role: stack.processes()[role].pid for role in ("postgres", "valkey")}
    for role in before:
        stack.kill(role)
    until(lambda: all(stack.processes().get(role) for role in before))
    until(lambda: _rows_or_none(stack) == 2)
    assert {role: stack.processes()[role].pid for role in before}.keys() == before.keys()


def _rows_or_none(stack: Stack) -> int | None:
    try:
        return rows(stack)
    except (httpx.HTTPError, ValueError):
        return None


def test_kill_9_of_the_supervisor_leaves_no_orphan_and_no_damage(start: Start) -> None:
    """Or the next start would meet a database that is still running on the folder."""
    stack = start()
    assert rows(stack) == 1
    processes = stack.processes()
    stack.kill("supervisor")
    until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes.values()))
    stack.stop()
    stack.start()
    assert rows(stack) == 2


def test_a_child_that_keeps_dying_stops_the_run_with_its_last_lines(tmp_path: Path, start: Start) -> None:
    """Better an end with a reason than a restart for ever."""
    stack = start()
    supervisor = stack.processes()["supervisor"]
    for _ in range(5):
        until(lambda: "work" in stack.processes() or not supervisor.is_running())
        stack.kill("work")
        time.sleep(0.2)
    assert stack.stop() == 1
    said = stack.output.read_text()
    assert "work ended 5 times within 60 s (last: killed by SIGKILL)" in said
    assert "Its last lines" in said
    assert "Traceback" not in said
