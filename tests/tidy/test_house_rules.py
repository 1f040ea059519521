"""House rules that can be checked are checked here, so that nobody has to remember them."""

from __future__ import annotations

import re
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN_MODULES = {"utils", "util", "common", "helpers", "misc", "base", "core", "manager"}
LONGEST_FILE = 400
# A fragment (`_name.lua`) is pasted into scripts and has no contract of its own.
LUA_HEADER = re.compile(r"-- \S+\.lua: .+\n(--.*\n)*-- KEYS .+\n(--.*\n)*-- RETURNS .+", re.MULTILINE)


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def lua_scripts() -> list[Path]:
    return [p for p in tracked("*.lua") if not p.name.startswith("_")]


def test_no_module_is_a_drawer() -> None:
    """A module that says nothing about its content collects everything."""
    assert [
        p for p in tracked("*.py") if p.stem in FORBIDDEN_MODULES or p.parent.name in FORBIDDEN_MODULES
    ] == []


def test_no_file_is_too_long_to_read() -> None:
    """A rule must be found in one guess; nobody finds it in a file of a thousand lines."""
    code = tracked("shared/**/*.py", "services/**/*.py", "deploy/**/*.py")
    lengths = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in code}
    assert {name: n for name, n in lengths.items() if n > LONGEST_FILE} == {}


def test_money_is_never_a_float() -> None:
    """A float amount loses cents silently."""
    pattern = re.compile(r"float\([^)]*(micros|amount|price|charge|balance)", re.IGNORECASE)
    found = [
        f"{p.name}:{n}"
        for p in tracked("shared/**/*.py", "services/**/*.py")
        for n, line in enumerate(p.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("script", lua_scripts(), ids=lambda p: p.name)
def test_every_lua_script_opens_with_its_contract(script: Path) -> None:
    """KEYS and ARGV are positional: without the header nobody can check a caller."""
    assert LUA_HEADER.match(script.read_text()), f"{script.name} lacks purpose, KEYS or RETURNS"


@pytest.mark.parametrize("script", lua_scripts(), ids=lambda p: p.name)
def test_every_lua_status_is_reached_by_a_test(script: Path) -> None:
    """A status that no test reaches is a branch of the money path that nobody has seen run."""
    statuses = set(re.findall(r"return\s*\{\s*'([A-Z_]+)'", script.read_text()))
    tests = "\n".join(p.read_text() for p in tracked("tests/**/*.py"))
    assert {s for s in statuses if s not in tests} == set()


def test_nothing_names_a_machine_path_or_a_package_host() -> None:
    """The repository must work from any folder and with any mirror."""
    pattern = re.compile(rb"(/wor[k]/|/roo[t]/\.|://[^ /]*(pypi|pythonhosted|npmjs|debian)\.)")
    found = [
        str(p.relative_to(ROOT)) for p in tracked() if p.suffix != ".svg" and pattern.search(p.read_bytes())
    ]
    assert found == []


def test_every_environment_variable_is_in_the_example() -> None:
    """An operator configures from `.env.example`: what is not there does not exist for them."""
    from landline.chassis.settings import Settings

    example = (ROOT / ".env.example").read_text()
    wanted = {f"LANDLINE_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in wanted if name not in example} == set()


def test_the_event_document_is_what_the_code_says() -> None:
    """Integrators read docs/asyncapi.yaml: renew it by `python -m landline.contracts.asyncapi`."""
    from landline.contracts import asyncapi

    assert (ROOT / asyncapi.TARGET).read_text() == asyncapi.text()


def test_no_command_shows_local_variables_when_it_fails() -> None:
    """Typer's rich tracebacks print locals: passwords and keys would land in terminals and logs."""
    from landline.chassis.embedded.cli import app
    from landline.chassis.service import installed_services
    from landline.cli.main import app as operators

    commands = {s.name: import_module(f"{s.package}.main").cli for s in installed_services()}
    commands |= {"run": app, "landline": operators}
    assert [name for name, cli in commands.items() if cli.pretty_exceptions_enable] == []


LOOPS_TO_MOVE = {
    "app/keep_leases.py",
    "app/live_feed.py",
    "app/settle_spooled.py",
    "app/watch_drift.py",
    "main.py",
    "adapters/rejection_rows.py",
    "adapters/reservations.py",
}
"""call-control's own loops, older than `chassis.background`; a file that is moved leaves this list."""


def test_background_work_waits_in_one_place() -> None:
    """A loop by hand forgets one of: the stop, the back-off, the log, the count (decision 0041)."""
    by_hand = re.compile(r"wait_for\(\s*stop\.wait\(\)")
    root = ROOT / "services/call-control/src/call_control"
    known = {root / name for name in LOOPS_TO_MOVE} | {ROOT / "shared/src/landline/chassis/background.py"}
    found = {p for p in tracked("shared/**/*.py", "services/**/*.py") if by_hand.search(p.read_text())}
    assert found == known


CHARTERS = sorted(tracked("shared/README.md", "services/*/README.md"))


@pytest.mark.parametrize("charter", CHARTERS, ids=lambda p: p.parent.name)
def test_a_charter_names_only_what_exists(charter: Path) -> None:
    """A map with a street that is gone costs its reader more than no map."""
    text = charter.read_text()
    assert "## Invariants" in text
    assert "## Where to find a rule" in text
    base = re.search(r"\(`(src/[a-z/_]+)`\)", text)
    assert base is not None, "the table says below which folder its places are"
    for name in re.findall(r"`([a-z0-9_/-]+(?:\.(?:py|md|sql)|/))`", text):
        at_home = [charter.parent / name, charter.parent / base[1] / name, ROOT / name]
        assert any(path.exists() for path in at_home), name


def test_every_service_and_the_library_have_a_charter() -> None:
    """What a folder owns and refuses is asked before anything is put there."""
    folders = {path.parent.name for path in tracked("shared/pyproject.toml", "services/*/pyproject.toml")}
    assert folders - {path.parent.name for path in CHARTERS} == set()
