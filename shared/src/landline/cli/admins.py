"""`landline admin create`: people who log in."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from landline.cli import output
from landline.cli.client import PROVISIONING, Client, Row, brand_of, client_of
from landline.cli.exits import Exit, Failed, leaving
from landline.cli.options import AsJson, DryRun, Token, Url
from landline.cli.session import Stdin, read_password

app = typer.Typer(no_args_is_help=True, help="People who log in.")


@app.command("create")
def create(
    username: Annotated[str, typer.Argument(help="unique on the platform")],
    brand: Annotated[str | None, typer.Option(help="an admin of this brand: name, SIP domain or id")] = None,
    client_name: Annotated[
        str | None, typer.Option("--client", help="an admin of this client of the brand: name or id")
    ] = None,
    name: Annotated[str | None, typer.Option(help="the person's name")] = None,
    email: Annotated[str | None, typer.Option(help="for password resets")] = None,
    restricted: Annotated[bool, typer.Option("--restricted", help="only what --right gives")] = False,
    right: Annotated[
        list[str] | None, typer.Option(help="RESOURCE=LETTERS of crud, e.g. clients=cru; repeatable")
    ] = None,
    password_stdin: Stdin = False,
    generate: Annotated[bool, typer.Option("--generate-password", help="make one, and tell it once")] = False,
    dry_run: DryRun = False,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Create an admin of the platform, of a brand, or of a client."""
    with leaving(as_json):
        client = Client(url, token)
        body: Row = {"username": username, "restricted": restricted or bool(right), "rights": _rights(right)}
        body |= {key: value for key, value in (("name", name), ("email", email)) if value is not None}
        if client_name is not None and brand is None:
            raise Failed(Exit.USAGE, "say whose client: --brand")
        if brand is not None:
            row = brand_of(client, brand)
            body["brand_id"] = row["id"]
            if client_name is not None:
                body["client_id"] = client_of(client, row, client_name)["id"]
        if list(client.items(f"{PROVISIONING}/admins", username=username)):
            problem = {"status": 409, "code": "username_taken"}
            raise Failed(Exit.REFUSED, f"there is an admin {username} already", problem)
        made = secrets.token_urlsafe(15) if generate else None
        if not dry_run:
            password = made or read_password(password_stdin)
            body = client.post(f"{PROVISIONING}/admins", {**body, "password": password}).json()
        told = body | ({"password": made} if made and not dry_run else {})
        output.write_json({"dry_run": dry_run, "admin": told}) if as_json else _show(told, dry_run)


def _rights(given: list[str] | None) -> dict[str, str]:
    rights = {}
    for one in given or ():
        resource, equals, letters = one.partition("=")
        if not equals or not resource or set(letters) - set("crud"):
            raise Failed(Exit.USAGE, f"--right {one}: say RESOURCE=LETTERS with letters of crud")
        rights[resource] = letters
    return rights


def _show(admin: Row, dry_run: bool) -> None:
    output.line(f"{'would create' if dry_run else 'created'} admin {admin['username']}")
    names = ("id", "brand_id", "client_id", "email", "restricted", "rights", "password")
    output.fields("", ((name, admin.get(name)) for name in names))
