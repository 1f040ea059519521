"""`landline login` and `landline logout`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from landline.cli import output, profile
from landline.cli.client import PROVISIONING, Client, refused, with_tokens
from landline.cli.exits import Exit, Failed, leaving
from landline.cli.options import AsJson, DryRun, Url

Stdin = Annotated[bool, typer.Option("--password-stdin", help="read the password from standard input")]


def login(
    username: Annotated[str, typer.Argument(help="who one is")],
    url: Url = None,
    otp: Annotated[str | None, typer.Option(help="second factor, or a recovery code")] = None,
    password_stdin: Stdin = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Log in, and keep the session in a file that only its owner reads. Asks for the password."""
    with leaving(as_json):
        known = profile.load() if profile.path().exists() else profile.Profile()
        known = replace(known, url=(url or known.url).rstrip("/"), username=username)
        client = Client(known.url, "none")
        body = {"username": username, "password": read_password(password_stdin)}
        answer = client.raw("POST", f"{PROVISIONING}/auth/login", json=body | ({"otp": otp} if otp else {}))
        if answer.is_error:
            raise refused(answer)
        if dry_run:
            _end(client, answer.json()["access_token"])
        else:
            profile.save(with_tokens(known, answer.json()))
        kept = None if dry_run else str(profile.path())
        if as_json:
            output.write_json({"url": known.url, "username": username, "kept_in": kept})
        else:
            where = f"the session is kept in {kept}" if kept else "nothing is kept"
            output.line(f"logged in at {known.url} as {username}; {where}")


def logout(as_json: AsJson = False) -> None:
    """End the session, here and on the platform."""
    with leaving(as_json):
        known = profile.load()
        if known.refresh_token is None:
            raise Failed(Exit.REFUSED, "not logged in")
        try:
            _end(Client(known.url, known.access_token), str(known.access_token))
        finally:
            profile.forget()
        if as_json:
            output.write_json({"url": known.url, "username": known.username})
        else:
            output.line(f"logged out of {known.url}")


def _end(client: Client, token: str) -> None:
    client.raw("POST", f"{PROVISIONING}/auth/logout", headers={"Authorization": f"Bearer {token}"})


def read_password(stdin: bool) -> str:
    """From standard input, or asked for without showing it."""
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Failed(Exit.USAGE, "no terminal to ask for the password at: use --password-stdin")
    return str(typer.prompt("password", hide_input=True, err=True))
