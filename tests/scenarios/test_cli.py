"""`landline` as its users call it: another process, a real platform, exit codes that scripts rely on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from landline.chassis.embedded.rest_client import Refused
from landline.contracts.streams import CONFIG, dead_letters
from landline.kernel.ids import new_id

from tests.support.stack import ADMIN_PASSWORD, Stack, running_stack

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
BRAND = "sip.example-telecom.example"


class Terminal:
    """Somebody who types commands; each has a session file of its own."""

    def __init__(self, stack: Stack, home: Path) -> None:
        self.stack, self.home = stack, home
        self.config = home / "cli.json"

    def __call__(
        self, *words: str, stdin: str | None = None, url: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("LANDLINE_")}
        env = {**kept, "LANDLINE_CLI_CONFIG": str(self.config), **({"LANDLINE_URL": url} if url else {})}
        command = [sys.executable, "-m", "landline.cli.main", *words]
        return subprocess.run(
            command, cwd=self.home, env=env, input=stdin or "", capture_output=True, text=True, check=False,
            timeout=120,
        )  # fmt: skip

    def json(self, *words: str, code: int = 0, **more: Any) -> Any:
        """A command with --json: its exit code is checked, its one value returned."""
        done = self(*words, "--json", **more)
        assert done.returncode == code, (done.stdout, done.stderr)
        return json.loads(done.stdout)

    def log_in(self) -> None:
        """As the platform's admin."""
        done = self("login", "admin", "--password-stdin", "--url", self.stack.url, stdin=ADMIN_PASSWORD)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A platform with its demo brand."""
    with running_stack(tmp_path_factory.mktemp("cli"), demo=True) as running:
        yield running


@pytest.fixture(scope="module")
def shell(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """Logged in, for all tests that do not touch the session."""
    terminal = Terminal(stack, tmp_path_factory.mktemp("shell"))
    terminal.log_in()
    return terminal


@pytest.fixture
def own_shell(stack: Stack, tmp_path: Path) -> Terminal:
    """With a session of the test's own."""
    terminal = Terminal(stack, tmp_path)
    terminal.log_in()
    return terminal


@pytest.fixture(scope="module")
def example(shell: Terminal) -> dict[str, Any]:
    """The example of the documentation, applied to a platform that did not know its brand."""
    file = str(EXAMPLES / "brand.yaml")
    assert shell("apply", file).returncode == 1, "there is no such brand yet"
    dry = shell("apply", file, "--create-brand", "--dry-run")
    assert (dry.returncode, "would be made" in dry.stderr) == (4, True)
    made: dict[str, Any] = shell.json("apply", file, "--create-brand")
    return made


def test_a_session_is_kept_for_its_owner_and_ends_with_logout(own_shell: Terminal) -> None:
    """And a wrong password is a refusal that keeps nothing."""
    assert own_shell.config.stat().st_mode & 0o777 == 0o600
    assert own_shell("export", "Demo Telecom").returncode == 0
    token = json.loads(own_shell.config.read_text())["access_token"]
    assert own_shell("logout").returncode == 0
    assert not own_shell.config.exists()
    assert own_shell("export", "Demo Telecom").returncode == 1
    old = own_shell("export", "Demo Telecom", "--token", token, "--url", own_shell.stack.url)
    assert (old.returncode, "401" in old.stderr) == (1, True)
    wrong = own_shell("login", "admin", "--password-stdin", "--url", own_shell.stack.url, stdin="wrong")
    assert wrong.returncode == 1
    assert not own_shell.config.exists()
    tried = own_shell(
        "login", "admin", "--password-stdin", "--dry-run", "--url", own_shell.stack.url, stdin=ADMIN_PASSWORD
    )
    assert (tried.returncode, own_shell.config.exists()) == (0, False)


def test_tokens_that_ran_out_are_renewed_once_by_whoever_comes_first(own_shell: Terminal) -> None:
    """A refresh token used twice would end the session: parallel commands must share one renewal."""
    kept = json.loads(own_shell.config.read_text())
    own_shell.config.write_text(json.dumps({**kept, "expires_at": 0}))
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: own_shell("export", "Demo Telecom"), range(3)))
    assert [d.returncode for d in done] == [0, 0, 0], [d.stderr for d in done]
    renewed = json.loads(own_shell.config.read_text())
    assert renewed["refresh_token"] != kept["refresh_token"]
    assert own_shell.config.stat().st_mode & 0o777 == 0o600


def test_the_documented_example_is_a_brand_and_applies_twice(
    shell: Terminal, example: dict[str, Any]
) -> None:
    """What people copy first must work, and tell passwords once."""
    document = yaml.safe_load((EXAMPLES / "brand.yaml").read_text())
    assert example["created"] == sum(len(part) for part in document.values() if isinstance(part, list))
    assert {tuple(r["key"].values()) for r in example["revealed"]} == {("garcia1",), ("perez1",)}
    again = shell.json("apply", str(EXAMPLES / "brand.yaml"))
    assert (again["created"], again["updated"], again["deleted"], again["revealed"]) == (0, 0, 0, [])
    assert shell("apply", str(EXAMPLES / "brand.yaml"), "--dry-run").returncode == 0


def test_an_exported_file_can_be_changed_checked_and_applied(
    shell: Terminal, example: dict[str, Any]
) -> None:
    """The whole round of configuration in git: export, edit, dry run (4: differs), apply, dry run (0)."""
    file = shell.home / "brand.yaml"
    assert shell("export", BRAND, "-o", str(file)).returncode == 0
    document = yaml.safe_load(file.read_text())
    assert shell.json("export", BRAND) == document
    assert shell("apply", str(file), "--dry-run", "--prune").returncode == 0
    document["clients"][0]["max_calls"] = 7
    document["authorized_sources"] = []
    file.write_text(yaml.safe_dump(document))
    would = shell("apply", str(file), "--dry-run", "--prune")
    assert would.returncode == 4, would.stderr
    assert "max_calls" in would.stdout
    assert "0 would be created, 1 would be updated, 1 would be deleted" in would.stdout
    assert shell.json("export", BRAND)["clients"][0]["max_calls"] == 2
    done = shell.json("apply", str(file), "--prune")
    assert (done["updated"], done["deleted"]) == (1, 1)
    assert shell("apply", str(file), "--dry-run", "--prune").returncode == 0


def test_what_is_refused_says_where(shell: Terminal, example: dict[str, Any]) -> None:
    """Exit 1, the paths on stderr; with --json on stdout; and nothing was changed."""
    file = shell.home / "wrong.yaml"
    file.write_text(f"brand: {{sip_domain: {BRAND}}}\nclients:\n- {{name: Casa Garcia, max_calls: many}}\n")
    done = shell("apply", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert "clients[0].max_calls" in done.stderr
    told = shell.json("apply", str(file), code=1)
    assert [e["field"] for e in told["problem"]["errors"]] == ["clients[0].max_calls"]
    file.write_text("clients: [")
    assert "line" in shell("apply", str(file)).stderr
    file.write_text("brand: {name: Half, sip_domain: half.example, country: ES}\nclients: [{name: 1}]\n")
    assert shell("apply", str(file), "--create-brand").returncode == 1
    assert shell("export", "half.example").returncode == 1, (
        "a brand made for a refused document is taken back"
    )


@pytest.mark.parametrize(
    ("words", "url", "code"),
    [
        (["apply"], None, 2),
        (["apply", "nowhere.yaml"], None, 2),
        (["export", "--wrong"], None, 2),
        (["admin", "create", "x", "--right", "clients"], None, 2),
        (["explain", "call", "no-such-call"], None, 1),
        (["explain", "attempt", "no-such-attempt"], None, 1),
        (["export", "no-such-brand"], None, 1),
        (["doctor"], "http://127.0.0.1:1", 3),
        (["export", "x", "--token", "t"], "http://127.0.0.1:1", 3),
        (["export", "x", "--token", "t"], "no address", 2),
        (["login", "admin", "--password-stdin"], "http://127.0.0.1:1", 3),
    ],
)
def test_exit_codes_are_those_of_the_manual(
    shell: Terminal, words: list[str], url: str | None, code: int
) -> None:
    """Scripts tell refused (1) from misused (2) from unreachable (3) by them."""
    done = shell(*words, url=url)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert done.stderr or done.stdout
    assert "Traceback" not in done.stderr


def test_a_home_is_set_up_once_by_its_key(shell: Terminal, example: dict[str, Any]) -> None:
    """Repeated with its key it tells the same; a dry run makes nothing."""
    words = ["setup", str(EXAMPLES / "home.yaml"), "--brand", BRAND]
    would = shell.json(*words, "--dry-run")
    assert (would["id"], would["client"]["name"]) == (None, "Casa Lopez")
    first, again = (shell.json(*words, "--key", "lopez") for _ in range(2))
    assert first == again
    assert first["billing"]["state"] == "done"
    assert shell(*words).returncode == 1, "without the key it is another home of the same name"


def test_an_admin_is_created_and_can_log_in(shell: Terminal, example: dict[str, Any]) -> None:
    """A restricted admin of a brand, who then sees that brand only."""
    words = ["admin", "create", "bea", "--brand", BRAND, "--right", "clients=ru"]
    assert shell.json(*words, "--dry-run")["dry_run"] is True
    made = shell.json(*words, "--generate-password")["admin"]
    assert (made["restricted"], made["rights"]) == (True, {"clients": "ru"})
    bea = Terminal(shell.stack, shell.home / "bea")
    bea.home.mkdir()
    done = bea("login", "bea", "--password-stdin", "--url", shell.stack.url, stdin=made["password"])
    assert done.returncode == 0, done.stderr
    assert bea.json("export")["brand"]["sip_domain"] == BRAND
    assert bea("export", "Demo Telecom").returncode == 1
    assert bea("apply", str(EXAMPLES / "brand.yaml"), "--dry-run").returncode in (1, 4)
    taken = shell.json(*words, "--generate-password", code=1)
    assert taken["problem"]["code"] == "username_taken"


def test_a_call_is_explained_while_it_lives_and_after(shell: Terminal) -> None:
    """From the numbers to the posting; and a refused attempt by the rule that refused it."""
    admin = shell.stack.admin()
    edge = next(admin.items("/api/provisioning/v1/edges", name="demo-edge"))
    key = admin.patch(f"/api/provisioning/v1/edges/{edge['id']}", {"reset_key": True})["key"]
    admin.http.headers["Authorization"] = f"Bearer {key}"
    calls = "/api/call-control/v1/calls"
    request = {
        "attempt_id": new_id(), "sip_call_id": "c1", "direction": "outbound", "source_ip": "203.0.113.7",
        "auth_user": "casa1", "auth_realm": "sip.demo.example", "from_user": "casa1",
        "from_domain": "sip.demo.example", "request_user": "0034600123123",
        "request_domain": "sip.demo.example",
    }  # fmt: skip
    allowed = patiently(lambda: admin.post(calls, request))  # the new key is on its way
    assert allowed["decision"] == "allow", allowed
    call_id = allowed["call_id"]
    admin.post(f"{calls}/{call_id}/answered", {"at": "2020-01-01T00:00:00Z"})
    live = shell.json("explain", "call", call_id)
    assert (live["state"], live["client"]["name"], live["device"]["name"]) == ("live", "Casa Garcia", "casa1")
    assert float(live["live"]["held"]) > 0
    assert {"routes", "rate", "money"} <= {step["step"] for step in live["decision_today"]["trace"]}
    ended = {"at": time.time() + 2, "sip_code": 200, "cause": "normal", "ended_by": "caller", "attempts": [],
             "ticket": allowed["ticket"]}  # fmt: skip
    admin.post(f"{calls}/{call_id}/ended", ended)
    after = _until_posted(shell, call_id)
    assert after["record"]["callee"] == "+34600123123"
    assert after["postings"][0]["amount"] == f"-{after['record']['price']}"
    shown = shell("explain", "call", call_id).stdout
    assert "Casa Garcia" in shown
    assert after["record"]["price"] in shown

    refused = {**request, "attempt_id": new_id(), "request_user": "0009"}
    assert admin.post(calls, refused)["decision"] == "deny"
    row = _until_kept(shell, str(refused["attempt_id"]))
    assert (row["reason"], row["trace"][-1]["outcome"]) == ("invalid_number", "deny")
    assert "Check it" in shell("explain", "attempt", row["id"]).stdout


def patiently(act: Callable[[], Any]) -> Any:
    """Repeat what is refused, for some seconds."""
    until = time.monotonic() + 10
    while True:
        try:
            return act()
        except Refused:
            if time.monotonic() > until:
                raise
        time.sleep(0.2)


def _until_posted(shell: Terminal, call_id: str) -> Any:
    for _ in range(20):
        found = shell.json("explain", "call", call_id)
        if found["postings"]:
            return found
    raise AssertionError(found)


def _until_kept(shell: Terminal, attempt_id: str) -> Any:
    for _ in range(20):
        done = shell("explain", "attempt", attempt_id, "--json")
        if done.returncode == 0:
            return json.loads(done.stdout)
    raise AssertionError(done.stdout)


def test_the_doctor_finds_a_healthy_platform_well(shell: Terminal) -> None:
    """Also the stores and the books, by the settings of the running platform."""
    found = shell.json("doctor", "--data", str(shell.stack.data))
    checks = {c["check"]: c["state"] for c in found["checks"]}
    assert found["state"] == "ok", found
    assert {"reach billing", "readiness", "clock", "streams", "durability", "counters", "ledger"} <= set(
        checks
    )
    assert "all is well" in shell("doctor").stdout


def test_the_doctor_names_a_dead_letter_and_its_reason(shell: Terminal) -> None:
    """Exit 5, with what was given up and why; and well again once it is gone."""
    store = redis.Redis.from_url(shell.stack.redis_url())
    grave = dead_letters(CONFIG, "billing")
    store.xadd(grave, {"entry_id": "1-1", "reason": "a currency that nobody knows", "event": "{}"})
    try:
        found = shell.json("doctor", "--data", str(shell.stack.data), code=5)
    finally:
        store.delete(grave)
        store.close()
    (wrong,) = [
        c for c in found["checks"] if c["state"] == "wrong" and c["check"].startswith("dead letters of")
    ]
    assert "a currency that nobody knows" in wrong["found"]
    assert wrong["remedy"]
