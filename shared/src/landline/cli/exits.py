"""Exit codes: part of the interface, so that scripts may rely on them (docs/cli.md)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer
from rich.markup import escape

from landline.cli import output


class Exit(IntEnum):
    """What a command says to the shell. 2 is also typer's own, for a command line it cannot read."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    DIFFERENT = 4
    UNWELL = 5


class Failed(Exception):
    """The command cannot go on: why, and the code to leave with. `problem`: the platform's own answer."""

    def __init__(self, code: Exit, message: str, problem: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.problem = code, message, problem


@contextmanager
def leaving(as_json: bool) -> Iterator[None]:
    """Turn a failure into its message on stderr (with --json: an object on stdout) and its exit code."""
    try:
        yield
    except Failed as failed:
        if as_json:
            output.write_json(
                {"error": failed.message, "exit_code": int(failed.code), "problem": failed.problem}
            )
        else:
            output.stderr().print(f"[red]landline:[/red] {escape(failed.message)}", highlight=False)
            for one in _errors(failed.problem):
                output.stderr().print(f"  {escape(one)}", highlight=False)
        raise typer.Exit(int(failed.code)) from None


def _errors(problem: dict[str, object] | None) -> list[str]:
    listed = (problem or {}).get("errors")
    errors = listed if isinstance(listed, list) else []
    return [f"{e.get('field')}: {e.get('message')} ({e.get('code')})" for e in errors]
