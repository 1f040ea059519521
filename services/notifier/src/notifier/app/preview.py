"""How a mail would look, with the sample data of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from notifier.domain.contents import Contents, Level, choose, warnings
from notifier.domain.kinds import kind
from notifier.domain.render import render


def preview(
    name: str, language: str, nearer: Sequence[tuple[str, Contents]], builtin: Contents
) -> dict[str, Any]:
    """subject, text, html, where each field comes from, and warnings. UnknownKind; DoesNotRender."""
    found = kind(name)
    chosen = choose([*(Level(source, c) for source, c in nearer), Level("built-in", builtin)], language)
    words = render(chosen, found.sample())
    return {
        "subject": words.subject,
        "text": words.text,
        "html": words.html,
        "sources": {field: {"source": c.source, "language": c.language} for field, c in chosen.items()},
        "warnings": warnings(chosen),
    }
