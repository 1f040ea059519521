"""`landline run`: checks the options, then becomes the supervisor.

The command line library would stay in memory as long as the run does; so this process replaces itself.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from dotenv import dotenv_values

from landline.chassis.embedded.supervisor import Options

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def about() -> None:
    """Landline: real-time voice platform for residential SIP clients."""


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise typer.BadParameter(f"{text!r} is no port: give a number from 1 to 65535")
    return int(text)


@app.command()
def run(
    port: Annotated[str, typer.Option(help="the one port of API, docs and metrics")] = "8080",
    data: Annotated[Path, typer.Option(help="folder of all data; made at the first start")] = Path("data"),
    host: Annotated[str, typer.Option(envvar="LANDLINE_HOST", help="address to listen on")] = "127.0.0.1",
    demo: Annotated[bool, typer.Option(help="add the demo brand to a new folder")] = True,
    verbose: Annotated[bool, typer.Option(help="show all log lines, not only warnings")] = False,
    system_stores: Annotated[
        bool, typer.Option("--system-stores", help="postgres and redis from PATH")
    ] = False,
    stop_with_parent: Annotated[bool, typer.Option("--stop-with-parent", hidden=True)] = False,
) -> None:
    """Run the whole platform in the foreground: stores, migrations, all services. Ctrl-C stops it."""
    for name, value in dotenv_values(".env").items():
        if value is not None:
            os.environ.setdefault(name, value)
    try:
        number = _port(port)
    except typer.BadParameter as error:
        sys.exit(_refuse(str(error)))
    options = Options(str(data), number, host, demo, verbose, system_stores, stop_with_parent)
    module = "landline.chassis.embedded.supervisor"
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, json.dumps(asdict(options))])


def _refuse(message: str) -> int:
    print(f"landline: {message}", file=sys.stderr)
    return 2


def main() -> None:
    """The `landline` command."""
    app()


if __name__ == "__main__":
    main()
