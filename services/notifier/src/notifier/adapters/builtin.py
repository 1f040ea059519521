"""The built-in templates: files `templates/<kind>/<language>.<field>.txt` of this package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from notifier.domain.contents import Contents


@cache
def builtin_contents(kind: str) -> Contents:
    """language -> field -> template source, of one kind; empty for a kind without files."""
    found: dict[str, dict[str, str]] = {}
    folder = files("notifier") / "templates" / kind
    for file in folder.iterdir() if folder.is_dir() else ():
        language, field, _ = file.name.split(".")
        found.setdefault(language, {})[field] = file.read_text(encoding="utf-8")
    return found
