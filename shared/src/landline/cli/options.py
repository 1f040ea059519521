"""Options that every command takes."""

from __future__ import annotations

from typing import Annotated

import typer

Url = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="LANDLINE_URL", help="the platform; default: that of the login", show_default=False
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="LANDLINE_TOKEN",
        help="an API key or access token, in place of a login",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON value on stdout, for scripts")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would change, and change nothing")]
