"""Secrets that come as files, as container engines and systemd hand them out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from landline.chassis.secret_files import BadSecretFile, secret
from landline.chassis.settings import Settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings must not decide."""
    for name in [name for name in os.environ if name.startswith("LANDLINE_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("content", "expected"),
    [("word", "word"), ("word\n", "word"), (" wo rd \n", " wo rd "), ("word\n\n", "word\n"), ("", "")],
)
def test_a_secret_is_the_file_without_its_last_newline(tmp_path: Path, content: str, expected: str) -> None:
    """Editors add a newline; anything else may belong to the password."""
    path = tmp_path / "secret"
    path.write_text(content)
    assert secret("internal_key", {"LANDLINE_INTERNAL_KEY_FILE": str(path)}) == expected


def test_any_setting_and_any_roles_password_may_be_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One forgotten would have to stand in the environment, for everybody to see."""
    for name in ("secrets_key", "smtp_url", "pg_password_billing", "pg_owner_password"):
        (tmp_path / name).write_text(f"{name} of a file\n")
        monkeypatch.setenv(f"LANDLINE_{name.upper()}_FILE", str(tmp_path / name))
    settings = Settings(_env_file=None)
    assert settings.secrets_key.get_secret_value() == "secrets_key of a file"
    assert settings.smtp_url == "smtp_url of a file"
    assert "billing:pg_password_billing%20of%20a%20file@" in settings.pg_dsn("billing")
    assert "landline_owner:pg_owner_password%20of" in settings.pg_dsn("landline_owner")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """Going on without the key would look like a wrong password much later."""
    path = tmp_path / "secret"
    if content:
        path.write_bytes(content)
    monkeypatch.setenv("LANDLINE_INTERNAL_KEY_FILE", str(path))
    with pytest.raises(BadSecretFile, match=f"LANDLINE_INTERNAL_KEY_FILE: {path}"):
        Settings(_env_file=None)


def test_a_secret_said_twice_is_refused(tmp_path: Path) -> None:
    """Which of the two counts would be a guess."""
    env = {"LANDLINE_TICKET_KEY": "one", "LANDLINE_TICKET_KEY_FILE": str(tmp_path / "two")}
    with pytest.raises(BadSecretFile, match="both set"):
        secret("ticket_key", env)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis:6379/0", "redis://:p%40ss@redis:6379/0"),
        ("redis://app@redis:6379/0", "redis://app:p%40ss@redis:6379/0"),
        ("redis://:own@redis:6379/0", "redis://:own@redis:6379/0"),
    ],
)
def test_the_password_of_redis_goes_into_its_url(url: str, expected: str) -> None:
    """A password inside a URL cannot be a secret of its own; one that is there already wins."""
    settings = Settings(redis_url=url, redis_password="p@ss", _env_file=None)
    assert settings.redis_url == expected


def test_services_find_each_other_at_the_public_origin_unless_told_better() -> None:
    """In containers the way between two services must not lead over the internet."""
    assert (
        Settings(public_url="https://voice.example", _env_file=None).internal_url == "https://voice.example"
    )
    known = Settings(public_url="https://voice.example", internal_url="http://proxy:8081", _env_file=None)
    assert known.internal_url == "http://proxy:8081"
