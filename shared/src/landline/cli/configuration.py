"""`landline export`, `landline apply`, `landline setup`: configuration as files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from landline.chassis.document_text import JSON_TYPE, YAML_TYPE
from landline.cli import files, output
from landline.cli.client import BILLING, PROVISIONING, Client, Row, brand_of
from landline.cli.exits import Exit, Failed, leaving
from landline.cli.options import AsJson, DryRun, Token, Url

NEW_BRAND = ("name", "sip_domain", "country", "timezone", "currency", "language", "features")
File = Annotated[str, typer.Argument(metavar="FILE", help="JSON or YAML; - for standard input")]


def export(
    brand: Annotated[str | None, typer.Argument(help="name, SIP domain or id; default: one's own")] = None,
    output_file: Annotated[str, typer.Option("--output", "-o", help="where to; default: stdout")] = "-",
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """A whole brand as one document, without secrets: YAML, or JSON with --json."""
    with leaving(as_json):
        client = Client(url, token)
        path = f"{PROVISIONING}/brands/{brand_of(client, brand)['id']}/export"
        accept = JSON_TYPE if as_json else YAML_TYPE
        answer = client.request("GET", path, headers={"Accept": accept})
        pretty = json.dumps(answer.json(), indent=2, ensure_ascii=False) + "\n" if as_json else answer.text
        files.write(output_file, pretty)


def apply(
    file: File,
    brand: Annotated[
        str | None, typer.Option("--brand", help="name, SIP domain or id; default: the document's")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="delete what a section of the document lacks")
    ] = False,
    create_brand: Annotated[
        bool, typer.Option("--create-brand", help="make the document's brand where there is none")
    ] = False,
    dry_run: DryRun = False,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Make a brand what a document says, in one transaction. --dry-run: exit 4 if something would change."""
    with leaving(as_json):
        client = Client(url, token)
        raw, media_type = files.read(file)
        row, made = _target(client, file, brand, create=create_brand, dry_run=dry_run)
        try:
            answer = client.post(
                f"{PROVISIONING}/brands/{row['id']}/apply",
                content=raw,
                headers={"Content-Type": media_type},
                params={"dry_run": str(dry_run).lower(), "prune": str(prune).lower()},
            )
        except Failed as failed:
            if made and failed.code is Exit.REFUSED:  # all or nothing: the brand was made for this document
                client.request("DELETE", f"{PROVISIONING}/brands/{row['id']}")
            raise
        outcome = answer.json()
        output.write_json(outcome) if as_json else _show(outcome)
        if dry_run and outcome["changes"]:
            raise typer.Exit(int(Exit.DIFFERENT))


def _target(client: Client, file: str, brand: str | None, *, create: bool, dry_run: bool) -> tuple[Row, bool]:
    """The brand meant, as said, else by the document's own SIP domain; and whether it was made just now."""
    if brand is not None:
        return brand_of(client, brand), False
    document = files.parse(file) if file != "-" else None
    said = document.get("brand", {}) if isinstance(document, dict) else {}
    if not isinstance(said, dict) or not said.get("sip_domain"):
        raise Failed(Exit.USAGE, "the document names no brand: say --brand")
    for row in client.items(f"{PROVISIONING}/brands", sip_domain=said["sip_domain"]):
        return row, False
    if not create:
        raise Failed(Exit.REFUSED, f"there is no brand {said['sip_domain']} (yet): --create-brand makes it")
    if dry_run:
        would = "it would be made, and all of the document in it, which only then can be checked"
        raise Failed(Exit.DIFFERENT, f"there is no brand {said['sip_domain']}: {would}")
    body = {name: said[name] for name in NEW_BRAND if name in said}
    return dict(client.post(f"{PROVISIONING}/brands", body).json()), True


def _show(outcome: Row) -> None:
    verb = "would be " if outcome["dry_run"] else ""
    output.table(
        "what would change" if outcome["dry_run"] else "what changed",
        ("action", "resource", "which", "field", "before", "after"),
        _lines(outcome["changes"]),
    )
    output.table(
        "allowed, but look at it again",
        ("where", "field", "warning"),
        ((w["path"], w["field"], w["message"]) for w in outcome["warnings"]),
    )
    output.table(
        "made and told once: keep them now",
        ("resource", "which", "what", "value"),
        ((r["resource"], _key(r["key"]), n, v) for r in outcome["revealed"] for n, v in r["secrets"].items()),
    )
    counts = [f"{outcome[name]} {verb}{name}" for name in ("created", "updated", "deleted")]
    output.line(f"{', '.join(counts)}, {outcome['unchanged']} unchanged")


def _lines(changes: list[Row]) -> Iterator[tuple[Any, ...]]:
    """A changed row with each of its fields; of a new or a removed one only what it is."""
    for change in changes:
        head = (change["action"], change["resource"], _key(change["key"]))
        if change["action"] != "update":
            yield (*head, "", "", "")
            continue
        for n, (name, values) in enumerate(change["changes"].items()):
            before = head if n == 0 else ("", "", "")
            yield (*before, name, output.text(values["before"]), output.text(values["after"]))


def _key(key: Row) -> str:
    return ", ".join(output.text(value) for value in key.values())


def setup(
    file: File,
    brand: Annotated[
        str | None, typer.Option("--brand", help="name, SIP domain or id; default: one's own")
    ] = None,
    plan: Annotated[str | None, typer.Option("--plan", help="the rating plan, by name")] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Idempotency-Key: the same key makes nothing twice")
    ] = None,
    dry_run: DryRun = False,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Set up a client: home, devices, numbers, sources, plan and first money (POST client-setups)."""
    with leaving(as_json):
        client = Client(url, token)
        body = files.parse(file)
        if not isinstance(body, dict):
            raise Failed(Exit.REFUSED, f"{file}: an object with the fields of POST client-setups")
        row = brand_of(client, brand)
        body |= {"brand_id": row["id"]}
        if plan is not None:
            body["rating_plan_id"] = _plan(client, row, plan)
        headers = {"Idempotency-Key": key} if key else {}
        made = client.post(
            f"{PROVISIONING}/client-setups", body, headers=headers, params={"dry_run": str(dry_run).lower()}
        ).json()
        output.write_json(made) if as_json else _show_setup(made)


def _plan(client: Client, brand: Row, name: str) -> str:
    for row in client.items(f"{BILLING}/rating-plans", name=name, brand_id=brand["id"]):
        return str(row["id"])
    raise Failed(Exit.REFUSED, f"no rating plan of {brand['name']} is called {name}")


def _show_setup(made: Row) -> None:
    output.line(f"{'would make' if made['dry_run'] else 'made'} client {made['client']['name']}")
    output.table(
        "devices", ("name", "password"), ((d["name"], d.get("password", "-")) for d in made["devices"])
    )
    output.table("numbers", ("number", "target"), ((d["number"], d["target"]) for d in made["ddis"]))
    output.table("sources", ("network",), ((s["network"],) for s in made["authorized_sources"]))
    if made["billing"]:
        names = ("state", "problem", "opening_balance", "rating_profile_id", "operation_id")
        output.fields("billing", ((name, made["billing"][name]) for name in names))
