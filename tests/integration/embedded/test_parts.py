"""The parts of an embedded run that need no run: roles, logs, options, environment, the demo's summary."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from landline.chassis.embedded import banner, demo, logs, prepared
from landline.chassis.embedded.environment import Addresses, child_environment, pg_url_of
from landline.chassis.embedded.errors import CannotStart
from landline.chassis.embedded.folder import ROLES, Config
from landline.chassis.embedded.logs import Follower, rotate, shown
from landline.chassis.embedded.migrate import roles_sql
from landline.chassis.embedded.patience import Patience
from landline.chassis.settings import Settings

REPOSITORY = Path(__file__).parents[3]


def test_the_operators_roles_are_the_embedded_runs_roles() -> None:
    """One source: what an operator applies by hand is what every test has run on."""
    assert (REPOSITORY / "deploy/postgres/roles.sql").read_text() == roles_sql()


def test_every_variable_of_the_settings_is_in_the_example() -> None:
    """A setting nobody can find is not there."""
    example = (REPOSITORY / ".env.example").read_text()
    names = {f"LANDLINE_{name.upper()}" for name in Settings.model_fields}
    names |= {f"LANDLINE_PG_PASSWORD_{role.upper()}" for role in ROLES if role != "landline_owner"}
    assert sorted(name for name in names if f"{name}=" not in example) == []


def test_the_preparing_step_is_skipped_only_while_nothing_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service on tables it does not know is worse than a slow start."""
    version, migration = tmp_path / "postgres" / "PG_VERSION", tmp_path / "0001.py"
    version.parent.mkdir()
    (tmp_path / "run").mkdir()
    migration.write_text("one")
    monkeypatch.setattr(prepared, "_ingredients", lambda: iter([migration]))
    step = prepared.Prepared(tmp_path)
    assert not step.is_current()
    version.write_text("18")
    step.remember()
    assert step.is_current()
    migration.write_text("two")
    assert not step.is_current()
    step.remember()
    version.rename(tmp_path / "old")
    version.write_text("18")  # another cluster in its place
    assert not step.is_current()


def test_rotation_keeps_three_old_files(tmp_path: Path) -> None:
    """Logs must not fill a disk one start after the other."""
    log = tmp_path / "web.log"
    for number in range(6):
        rotate(log)
        log.write_text(str(number))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "web.log": "5",
        "web.log.1": "4",
        "web.log.2": "3",
        "web.log.3": "2",
    }


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        ('{"level": "info", "event": "x"}', False),
        ('{"level": "debug", "event": "x"}', False),
        ('{"level": "warning", "event": "x"}', True),
        ('{"level": "error", "event": "x"}', True),
        ('{"event": "without a level"}', True),
        ("Traceback (most recent call last):", True),
        ("12", True),
        ("", False),
    ],
)
def test_the_terminal_shows_warnings_and_what_is_no_log_line(line: str, is_shown: bool) -> None:
    """An unexpected traceback is the most important line of all."""
    assert shown(line, verbose=False) is is_shown
    assert shown(line, verbose=True) is bool(line)


def test_a_follower_shows_each_line_once_and_survives_a_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines arrive in pieces, and a file over its limit is emptied under its writer."""
    log = tmp_path / "web.log"
    follower = Follower("web", log, verbose=True)
    follower.look()
    with log.open("ab", buffering=0) as writer:
        writer.write(b"one\ntw")
        follower.look()
        writer.write(b"o\n")
        follower.look()
        monkeypatch.setattr(logs, "LIMIT_BYTES", 4)
        follower.look()
        writer.write(b"3\n")
        follower.look()
    assert capsys.readouterr().err.splitlines() == ["[web] one", "[web] two", "[web] 3"]
    assert (tmp_path / "web.log.1").read_text() == "one\ntwo\n"


def test_patience_waits_longer_each_time_and_ends_at_the_fifth_death(tmp_path: Path) -> None:
    """Restarts for ever would hide what is broken."""
    log = tmp_path / "work.log"
    log.write_text("first line\nthe reason\n")
    patience = Patience("work", log)
    assert [patience.note_death(1) for _ in range(4)] == [0.2, 0.4, 0.8, 1.6]
    with pytest.raises(CannotStart, match="killed by SIGKILL") as raised:
        patience.note_death(-signal.SIGKILL)
    assert "the reason" in str(raised.value)


def test_children_learn_everything_but_the_superusers_password() -> None:
    """A service that could log in as superuser would make row-level security a decoration."""
    config = Config("wheels", "wheels", "adm")
    addresses = Addresses(
        "postgresql://boss:secret@127.0.0.1:5/postgres", "redis://r", "127.0.0.1", 8080, 2525
    )
    base = {"PATH": "/bin", "LANDLINE_PG_DSN": "postgresql://boss:secret@h/x"}
    env = child_environment(config, addresses, Path("/data"), base)
    assert env["LANDLINE_PG_URL"] == "postgresql://127.0.0.1:5/landline"
    assert env["LANDLINE_PG_PASSWORD_CALL_CONTROL"] == config.passwords["call_control"]
    assert env["LANDLINE_SMTP_URL"] == "smtp://127.0.0.1:2525"
    assert env["LANDLINE_PUBLIC_URL"] == "http://127.0.0.1:8080"
    assert env["PATH"] == "/bin"
    assert "secret" not in " ".join(env.values())


@pytest.mark.parametrize(
    ("dsn", "url"),
    [
        ("postgresql://u:p%40x@h:5432/voice", "postgresql://h:5432/voice"),
        ("postgresql://u@h/postgres", "postgresql://h/landline"),
        ("postgresql://h", "postgresql://h/landline"),
        ("postgresql://u:p@h/db?sslmode=require", "postgresql://h/db?sslmode=require"),
    ],
)
def test_services_get_the_address_without_the_login(dsn: str, url: str) -> None:
    """Each logs in with its own role."""
    assert pg_url_of(dsn) == url


def test_a_seed_is_remembered_and_follows_the_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The printed curl must work after a start on another port."""
    script = tmp_path / "seed.py"
    script.touch()
    monkeypatch.setattr(demo, "SEED_SCRIPT", script)
    (tmp_path / "run").mkdir()
    runs: list[list[str]] = []

    def run(command: list[str], output: Path) -> int:
        runs.append(command)
        output.write_text(
            "seeding ...\n" + json.dumps({"curl": "curl http://127.0.0.1:1/calls", "logins": []})
        )
        return 0

    first = demo.seed(tmp_path, "http://127.0.0.1:1", run)
    second = demo.seed(tmp_path, "http://127.0.0.1:2", run)
    assert first is not None
    assert second is not None
    assert (first["curl"], second["curl"]) == (
        "curl http://127.0.0.1:1/calls",
        "curl http://127.0.0.1:2/calls",
    )
    assert len(runs) == 1


def test_a_failing_seed_is_said_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The platform is up all the same."""
    monkeypatch.setattr(demo, "SEED_SCRIPT", tmp_path)
    (tmp_path / "run").mkdir()
    assert demo.seed(tmp_path, "http://x", lambda _c, _o: 1) is None
    assert "could not be added" in capsys.readouterr().err
    assert not (tmp_path / "demo.json").exists()


def test_the_banner_says_where_to_look_who_logs_in_and_how_to_call() -> None:
    """Issue 2, point 2."""
    logins = [{"level": "brand", "username": "casa", "password": "pw"}]
    text = "\n".join(
        banner.lines("http://h:1", Path("/d"), {"logins": logins, "curl": "curl -X POST"}, "word")
    )
    for part in (
        "http://h:1/api/billing/v1/docs",
        "http://h:1/dev/mails",
        "admin / word",
        "casa",
        "curl -X POST",
    ):
        assert part in text
    assert "admin /" not in "\n".join(banner.lines("http://h:1", Path("/d"), None, None))
