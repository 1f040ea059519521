"""What people read (tables) and what scripts read (one JSON value on stdout). Messages go to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDTH_OF_PIPES = 160


def stdout() -> Console:
    """For tables. Without a terminal the width is fixed, so that lines do not depend on where it runs."""
    return _console(stderr=False)


def stderr() -> Console:
    """For messages."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else WIDTH_OF_PIPES)


def write_json(value: Any) -> None:
    """One JSON value."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table; nothing when there are no rows."""
    listed = list(rows)
    if not listed:
        return
    made = Table(*columns, title=title, title_justify="left", title_style="bold")
    for row in listed:
        made.add_row(*(escape(text(cell)) for cell in row))
    stdout().print(made, highlight=False)


def fields(title: str, pairs: Iterable[tuple[str, Any]]) -> None:
    """Names and values, one a line; what is not there is left out."""
    known = [(name, text(value)) for name, value in pairs if value not in (None, "", [], {})]
    if known:
        stdout().print(f"[bold]{escape(title)}[/bold]", highlight=False)
        width = max(len(name) for name, _ in known)
        for name, value in known:
            stdout().print(f"  {escape(name.ljust(width))}  {escape(value)}", highlight=False)


def line(message: str) -> None:
    """One line for people."""
    stdout().print(escape(message), highlight=False)


def text(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
