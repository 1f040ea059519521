"""The committed Python client is what the OpenAPI documents give: `make client` renews it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_client_is_what_the_documents_say(tmp_path: Path) -> None:
    """A field that the client does not know is one that no type checker finds missing."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "clients/python/generate.py")
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    generator.generate(tmp_path)
    kept = ROOT / "clients/python/src/landline_client"
    made = [p.relative_to(tmp_path) for p in tmp_path.rglob("*.py")]
    stale = [str(p) for p in made if (tmp_path / p).read_text() != (kept / p).read_text()]
    assert stale == [], "run `make client` and commit what it changed"
