"""What cannot start says why in a sentence, and changes nothing."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from landline.chassis.embedded.folder import DataFolder
from landline.chassis.embedded.running_stores import first_config

from tests.integration.embedded.conftest import Start, Try
from tests.support.stack import free_port


def content(folder: Path) -> str:
    """A hash over every file below, but the lock and the logs."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "landline.lock" and "logs" not in path.parts:
            digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A folder as a first start leaves it, without the seconds that a start takes."""
    data = tmp_path / "data"
    folder = DataFolder.open(data)
    folder.config(lambda: first_config(False))
    os.close(folder.lock_fd)
    (data / "postgres" / "global").mkdir(parents=True)
    (data / "postgres" / "PG_VERSION").write_text("18\n")
    (data / "postgres" / "global" / "pg_control").write_bytes(b"\0" * 8192)
    return data


def _remove_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _break_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"postgres": "wheels", "redis"')


def _strip_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"postgres": "wheels", "redis": "wheels", "admin_password": ""}')


def _other_kind(folder: Path) -> None:
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"postgres": "wheels"', '"postgres": "oracle"'))


def _other_major(folder: Path) -> None:
    (folder / "postgres" / "PG_VERSION").write_text("13\n")


def _half_made(folder: Path) -> None:
    (folder / "postgres" / "PG_VERSION").unlink()


def _no_control(folder: Path) -> None:
    (folder / "postgres" / "global" / "pg_control").unlink()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_remove_config, "config.json is missing"),
        (_break_config, "config.json cannot be read"),
        (_strip_config, "config.json is not whole"),
        (_other_kind, "config.json: 'oracle' is no kind of store"),
        (_other_major, "PG_VERSION says '13', but the servers here are PostgreSQL 18"),
        (_half_made, "PG_VERSION is missing"),
        (_no_control, "pg_control is missing"),
    ],
)
def test_a_damaged_data_folder_is_named_and_left_as_it_is(
    damage: Callable[[Path], None], sentence: str, whole: Path, attempt: Try
) -> None:
    """The worst answer to damage is a new, empty database in its place."""
    damage(whole)
    before = content(whole)
    outcome = attempt(free_port(), whole)
    assert (outcome.returncode, sentence in outcome.stderr) == (2, True), outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert content(whole) == before


@pytest.mark.parametrize("port", ["0", "65536", "-1", "80a", "", "８０"])
def test_a_wrong_port_is_refused(port: str, tmp_path: Path, attempt: Try) -> None:
    """Before anything is made."""
    outcome = attempt(port, tmp_path / "data")
    assert outcome.returncode == 2
    assert f"'{port}' is no port" in outcome.stderr or "--port" in outcome.stderr
    assert not (tmp_path / "data").exists()


def test_a_busy_port_is_refused(tmp_path: Path, attempt: Try) -> None:
    """Before anything is made."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        outcome = attempt(port, tmp_path / "data")
    assert (outcome.returncode, f"port {port} is in use" in outcome.stderr) == (2, True)
    assert not (tmp_path / "data").exists()


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path, attempt: Try) -> None:
    """One sentence, no traceback."""
    (tmp_path / "data").write_text("mine")
    outcome = attempt(free_port(), tmp_path / "data")
    assert (outcome.returncode, "cannot use the data folder" in outcome.stderr) == (2, True)
    assert (tmp_path / "data").read_text() == "mine"


def test_a_second_instance_on_the_same_folder_is_refused(start: Start, attempt: Try) -> None:
    """Two databases on one folder destroy it."""
    stack = start()
    outcome = attempt(free_port(), stack.data)
    assert outcome.returncode == 2
    assert f"another Landline (process {stack.processes()['supervisor'].pid}) already runs" in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    stack.wait_ready()
