"""The edge's folder: what Kamailio reads at its start, so that it works while call-control is away.

settings.cfg      from the environment, at each start
tls.cfg           where certificate and key are, if it speaks TLS
peers.list        addresses whose calls need no digest (module permissions, address file)
db/uacreg         empty: accounts at DDI providers are in memory only
db/fallback       emergency numbers and their routes (module db_text, for htable)
instance          which of several edges with one key this is
peers.json, fallback.json   as call-control sent them
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from edge_agent.settings import Settings

GROUPS = {"provider": 1, "device": 2, "carrier": 3, "media": 4}
_COLUMNS = "id(int,auto) key_name(string) key_type(int) value_type(int) key_value(string) expires(int)"
_VERSION = (
    "id(int,auto) table_name(string) table_version(int)\n0:htable:2\n1:fallback:2\n2:version:1\n3:uacreg:5\n"
)
_NO_ACCOUNTS = (
    "id(int,auto) l_uuid(string) l_username(string) l_domain(string) r_username(string) r_domain(string)"
    " realm(string) auth_username(string) auth_password(string) auth_ha1(string) auth_proxy(string,null)"
    " expires(int) flags(int) reg_delay(int) contact_addr(string) socket(string)\n"
)
"""Module uac registers nothing without a database; the accounts are never in it (accounts.py)."""


def prepare(settings: Settings) -> None:
    """Make the folder; keep what an earlier run left in it."""
    (settings.state / "db").mkdir(parents=True, exist_ok=True)
    write(settings.state / "settings.cfg", settings.as_kamailio(), mode=0o600)
    write(settings.state / "tls.cfg", settings.as_tls())
    write(settings.state / "db" / "version", _VERSION)
    write(settings.state / "db" / "uacreg", _NO_ACCOUNTS)
    for path, empty in (
        (settings.state / "peers.list", peers_list([])),
        (settings.state / "db" / "fallback", fallback_table([])),
    ):
        if not path.exists():
            write(path, empty)


def instance_id(settings: Settings) -> str:
    """The edge's name, and what tells this one from others with the same key; kept in the folder."""
    path = settings.state / "instance"
    if not path.exists():
        write(path, secrets.token_hex(4))
    return f"{settings.name[:50]}-{path.read_text().strip()}"


def write(path: Path, text: str, mode: int = 0o644) -> bool:
    """Replace a file as a whole; False when it already says that."""
    if path.exists() and path.read_text() == text:
        return False
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
    return True


def peers_list(peers: list[dict[str, Any]]) -> str:
    """The address file of module permissions: group, address, mask, port, tag."""
    lines = ["# Written by the edge agent: group (1 provider, 2 device, 3 carrier, 4 media), address, mask"]
    for peer in peers:
        group = GROUPS.get(peer["kind"])
        if group is not None:
            host, _, mask = str(peer["network"]).partition("/")
            full = "128" if ":" in host else "32"
            shown = f"[{host}]" if ":" in host else host
            lines.append(" ".join([str(group), shown, mask or full, "0", peer.get("domain") or "-"]))
    return "\n".join(lines) + "\n"


def fallback_table(numbers: list[dict[str, Any]]) -> str:
    """A db_text table for htable: `domain:number` -> the routes, in the form of an answer of POST /calls."""
    lines = [_COLUMNS]
    for index, number in enumerate(numbers):
        key = f"{number['domain']}:{number['number']}"
        value = json.dumps({"routes": number["routes"]}, separators=(",", ":"))
        lines.append(f"{index}:{_escaped(key)}:0:0:{_escaped(value)}:0")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    escapes = {"\\": "\\\\", ":": "\\:", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return "".join(escapes.get(letter, letter) for letter in text)
