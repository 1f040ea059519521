"""Where the session is kept: for its owner only, and never half."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from landline.cli import profile
from landline.cli.exits import Exit, Failed


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile of the test's own."""
    path = tmp_path / "deep" / "cli.json"
    monkeypatch.setenv("LANDLINE_CLI_CONFIG", str(path))
    return path


def test_it_is_written_for_its_owner_only_and_read_back(file: Path) -> None:
    """A refresh token lives for weeks: whoever reads it is this person."""
    kept = profile.Profile("https://voice.example", "ana", "access", "refresh", 12.5)
    profile.save(kept)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert profile.load() == kept
    assert [p.name for p in file.parent.iterdir()] == ["cli.json"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_one_that_others_can_read_is_not_used(file: Path, mode: int) -> None:
    """As ssh does: it may have been copied already."""
    profile.save(profile.Profile())
    file.chmod(mode)
    with pytest.raises(Failed, match="chmod 600") as failed:
        profile.load()
    assert failed.value.code is Exit.USAGE


@pytest.mark.parametrize("content", ["", "[1]", '{"other": 1}', "\xff"])
def test_a_broken_one_is_said_so(file: Path, content: str) -> None:
    """Never a traceback with tokens in it."""
    profile.save(profile.Profile())
    file.write_text(content, "latin-1")
    with pytest.raises(Failed):
        profile.load()


def test_without_one_there_is_nobody(file: Path) -> None:
    """The default address, no session."""
    assert profile.load() == profile.Profile()


def test_the_place_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG, else ~/.config."""
    monkeypatch.delenv("LANDLINE_CLI_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert profile.path() == tmp_path / "landline" / "cli.json"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert profile.path() == tmp_path / ".config" / "landline" / "cli.json"


def test_the_file_is_plain_json(file: Path) -> None:
    """People may look into it."""
    profile.save(profile.Profile(username="ana"))
    assert json.loads(file.read_text())["username"] == "ana"
