"""The files of deploy/ before anything runs: linted by the tools that others will use on them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.containers.containers import ROOT

DOCKERFILES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("deploy/**/Dockerfile"))


@pytest.fixture(scope="session")
def hadolint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Installed apart, by hash: only these tests need it."""
    folder = tmp_path_factory.mktemp("hadolint")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    locked = ROOT / "tests" / "containers" / "requirements.lock"
    subprocess.run([*pip, "--require-hashes", "--requirement", str(locked)], check=True)
    return folder / "bin" / "hadolint"


@pytest.mark.parametrize("name", DOCKERFILES)
def test_a_dockerfile_is_clean(hadolint: Path, name: str) -> None:
    """hadolint, with what we leave out on purpose in .hadolint.yaml."""
    done = subprocess.run([hadolint, name], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_there_are_the_four_images() -> None:
    """A glob that finds nothing would lint nothing."""
    assert DOCKERFILES == [
        "deploy/Dockerfile",
        "deploy/caddy/Dockerfile",
        "deploy/kamailio/Dockerfile",
        "deploy/rtpengine/Dockerfile",
    ]


@pytest.mark.parametrize("profiles", [(), ("edge",), ("metrics",), ("edge", "metrics")])
def test_compose_reads_its_file(engine: dict[str, str], profiles: tuple[str, ...]) -> None:
    """The real parser, with nothing set: every variable has a default."""
    words = [word for profile in profiles for word in ("--profile", profile)]
    command = ["docker", "compose", "--file", "deploy/compose.yaml", *words, "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, env=engine, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
