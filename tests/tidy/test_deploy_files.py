"""What deploy/ promises, read from its files: checked in every run, with or without a container engine."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from landline.chassis.settings import Settings
from prometheus_client import REGISTRY

ROOT = Path(__file__).parents[2]
COMPOSE_TEXT = (ROOT / "deploy/compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT.replace("!reset null", "~"))
RUNNING: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {name for name in RUNNING if name == "roles" or name.startswith("migrate-")}
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in ALERTS for rule in group["rules"]]
METRICS_OF_PROMETHEUS = {"up"}
WITH_METRICS = (
    "landline.chassis.metrics",
    "landline.chassis.stream_metrics",
    "call_control.main",
    "billing.main",
    "notifier.main",
    "provisioning.main",
)


@pytest.mark.parametrize("name", RUNNING)
def test_every_container_is_fenced_in(name: str) -> None:
    """One that was forgotten is the one that is found."""
    each = RUNNING[name]
    assert each["read_only"] is True
    assert each["cap_drop"] == ["ALL"]
    assert each["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & each.keys()
    limits = each["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= limits.keys()
    assert not any("docker.sock" in str(volume) for volume in each.get("volumes", []))
    assert each["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")


@pytest.mark.parametrize("name", RUNNING)
def test_no_secret_stands_in_an_environment(name: str) -> None:
    """Whatever ends in PASSWORD, KEY or SMTP_URL comes as a file."""
    secret = re.compile(r"(PASSWORD|_KEY|SMTP_URL)(_[A-Z_]+)?$")
    named = {key for key in RUNNING[name].get("environment", {}) if secret.search(key)}
    assert {key for key in named if not key.endswith("_FILE")} == set()


def test_a_container_is_given_no_secret_that_it_does_not_use() -> None:
    """The owner's password belongs to the migrations alone, a service's to itself."""
    holders: dict[str, set[str]] = {}
    for name, each in RUNNING.items():
        for secret in each.get("secrets", []):
            holders.setdefault(secret, set()).add(name)
    assert holders["pg_owner_password"] == ONE_SHOT
    assert holders["pg_superuser_password"] == {"postgres", "roles"}
    assert holders["admin_password"] == {"provisioning"}
    for service in ("provisioning", "call-control", "billing", "notifier"):
        own = f"pg_password_{service.replace('-', '_')}"
        assert holders[own] == {service, f"{service}-consume", "roles"}
    assert holders.keys() == COMPOSE["secrets"].keys()


def test_only_the_proxy_is_published_and_only_on_loopback_unless_told() -> None:
    """A store on a public port is the oldest mistake."""
    published = {name: each["ports"] for name, each in RUNNING.items() if "ports" in each}
    assert published.keys() == {"proxy", "prometheus"}
    assert all(":-127.0.0.1:" in port for ports in published.values() for port in ports)


def test_what_compose_sets_is_a_setting_and_what_people_may_set_is_in_the_example() -> None:
    """A misspelt variable is silently nothing."""
    known = {f"LANDLINE_{name.upper()}" for name in Settings.model_fields}
    of_edge = "".join(path.read_text() for path in ROOT.glob("deploy/kamailio/**/*.py"))
    starts = "".join((ROOT / f"deploy/{each}/start").read_text() for each in ("kamailio", "rtpengine"))
    others = of_edge + starts + (ROOT / "deploy/caddy/Caddyfile").read_text()
    others += (ROOT / "shared/src/landline/chassis/healthcheck.py").read_text()
    for name in set(re.findall(r"^ +(LANDLINE_[A-Z_0-9]+):", COMPOSE_TEXT, re.MULTILINE)):
        plain = name.removesuffix("_FILE")
        assert plain in known or plain.startswith("LANDLINE_PG_PASSWORD_") or plain in others, name
    example = (ROOT / ".env.example").read_text()
    asked = set(re.findall(r"\$\{(LANDLINE_[A-Z_0-9]+)", COMPOSE_TEXT))
    assert sorted(name for name in asked if f"#{name}=" not in example) == []


@pytest.fixture(scope="module")
def measured() -> set[str]:
    """The names that our processes give: every module with metrics is imported."""
    for name in WITH_METRICS:
        importlib.import_module(name)
    found = set()
    for family in REGISTRY.collect():
        end = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
        found |= {family.name + each for each in end}
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_watches_metrics_that_exist_and_names_its_runbook(
    rule: dict[str, Any], measured: set[str]
) -> None:
    """An alert on a name that nobody gives never fires."""
    words = re.findall(r"landline_[a-z_]+|\bup\b", rule["expr"])
    assert words
    assert set(words) - measured <= METRICS_OF_PROMETHEUS
    assert (ROOT / rule["annotations"]["runbook"]).is_file()


def test_prometheus_asks_every_process() -> None:
    """One that is forgotten is never missed."""
    jobs = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    asked = {name for job in jobs for config in job["dns_sd_configs"] for name in config["names"]}
    own = {name for name, each in RUNNING.items() if each.get("command") in (["serve"], ["consume"])}
    assert asked == own
    assert len(own) == 8


PAGES = sorted([*ROOT.glob("docs/runbooks/*.md"), ROOT / "deploy/README.md"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_a_runbook_names_only_services_commands_and_pages_that_exist(page: Path) -> None:
    """At three in the morning nobody finds out what the command is called today."""
    text = page.read_text()
    for service, command in re.findall(r"exec (?:-T )?([a-z-]+) landline-service ([a-z-]+)", text):
        cli = importlib.import_module(f"{service.replace('-', '_')}.main").cli
        names = {each.name or each.callback.__name__ for each in cli.registered_commands}
        assert command in names, f"{service} {command}"
    for words in re.findall(r"^ *dc (?:up|restart|stop|logs|ps)([^|&#\n]*)", text, re.MULTILINE):
        named = set(re.findall(r"(?<![-\w])[a-z][a-z-]+", words))
        assert named <= RUNNING.keys(), words
    for target in re.findall(r"\]\(([a-z-]+\.md)\)", text):
        assert (page.parent / target).is_file(), target


def test_every_runbook_is_found_from_the_first_page() -> None:
    """A page that nobody finds is not there."""
    index = (ROOT / "docs/runbooks/README.md").read_text()
    pages = {page.name for page in ROOT.glob("docs/runbooks/*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in index} == set()


def test_no_secret_of_a_try_is_tracked() -> None:
    """They are made where they are used, and stay there."""
    listed = subprocess.run(
        ["git", "ls-files", "deploy/secrets", "deploy/.env", "deploy/backups"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout == ""
