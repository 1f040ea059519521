"""Print the part of requirements.lock that some packages need: versions and hashes stay those of the lock.

    python deploy/image/locked.py NEED...     a name, or a folder whose pyproject.toml lists dependencies

An image gets only what its service needs, and never another version than the one that was tested. pip
resolves (`--dry-run`, under the lock's versions); what it found is then copied out of the lock. Own packages
are left out: they are built from this checkout.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

LOCK = Path("requirements.lock")


def blocks(lock: str) -> dict[str, str]:
    """Name -> its lines in the lock: the pin, the marker, the hashes."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in lock.splitlines():
        if pinned := re.match(r"([A-Za-z0-9._-]+)==", line):
            name = normal(pinned[1])
        if name and not line.startswith("#"):
            found.setdefault(name, []).append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


def normal(name: str) -> str:
    """The name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needs(words: list[str]) -> list[str]:
    """Requirements: as given, or those of a folder's pyproject.toml."""
    wanted = []
    for word in words:
        project = Path(word) / "pyproject.toml"
        if not project.is_file():
            wanted.append(word)
            continue
        listed = tomllib.loads(project.read_text())["project"]["dependencies"]
        wanted += [each for each in listed if not re.match(r"landline\b", each)]
    return wanted


def resolved(wanted: list[str], locked: dict[str, str]) -> list[str]:
    """Names of everything that `wanted` needs on this platform, itself included."""
    if not wanted:
        return []
    pins = "\n".join(block.splitlines()[0].removesuffix("\\") for block in locked.values())
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write(pins)
        constraints.flush()
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--dry-run", "--ignore-installed", "--report", "-", "-c", constraints.name, *wanted]
        report = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return sorted(normal(each["metadata"]["name"]) for each in json.loads(report)["install"])


def main() -> None:
    """Print the lines; stop at a package that the lock does not know."""
    locked = blocks(LOCK.read_text())
    names = resolved(needs(sys.argv[1:]), locked)
    if missing := [name for name in names if name not in locked]:
        sys.exit(f"not in {LOCK}: {', '.join(missing)}; run make lock")
    print("\n".join(locked[name] for name in names))


if __name__ == "__main__":
    main()
