"""`landline doctor`: is the platform well, and if not, what is wrong and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from landline.cli import output
from landline.cli.exits import Exit, leaving
from landline.cli.health import Finding, Worst, look, worst
from landline.cli.options import AsJson, Token, Url


def doctor(
    metrics: Annotated[
        list[str] | None,
        typer.Option(help="address of a process's metrics page, where /metrics is not public; repeatable"),
    ] = None,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep",
            help="on the platform's own machine, with its LANDLINE_ environment: stores and books too",
        ),
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="--deep, for the `make run` of this data folder on this machine")
    ] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Services, readiness, clock, stores, streams, dead letters, drift. Exit 3: unreachable, 5: unwell."""
    with leaving(as_json):
        findings = look(url, token, metrics or [], deep=deep or data is not None, data=data)
        state = worst(findings)
        if as_json:
            output.write_json({"state": state.value, "checks": [vars(f) for f in findings]})
        else:
            _show(findings)
        code = {Worst.UNREACHABLE: Exit.UNREACHABLE, Worst.WRONG: Exit.UNWELL}.get(state, Exit.OK)
        raise typer.Exit(int(code))


def _show(findings: list[Finding]) -> None:
    output.table(
        "",
        ("state", "check", "found", "what to do"),
        ((f.state, f.check, f.found, f.remedy) for f in findings),
    )
    wrong = sum(f.state == "wrong" for f in findings)
    output.line("all is well" if not wrong else f"{wrong} of {len(findings)} checks found something wrong")
