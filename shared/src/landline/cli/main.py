"""`landline`: run the platform, or talk to a running one. Exit codes: docs/cli.md."""

from __future__ import annotations

import typer

from landline.chassis.embedded.cli import run
from landline.cli import admins, configuration, doctor, explain, session

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Landline: real-time voice platform for residential SIP clients.",
    epilog="Exit codes: 0 fine, 1 refused, 2 usage, 3 unreachable, 4 differences found, 5 unwell.",
)
app.command()(run)
app.command()(session.login)
app.command()(session.logout)
app.command()(configuration.export)
app.command()(configuration.apply)
app.command()(configuration.setup)
app.add_typer(admins.app, name="admin")
app.add_typer(explain.app, name="explain")
app.command()(doctor.doctor)


def main() -> None:
    """The `landline` command."""
    app()


if __name__ == "__main__":
    main()
