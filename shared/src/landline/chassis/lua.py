"""Lua scripts as typed functions: text in the package, header read, EVALSHA through the batch.

Every script opens with its purpose, KEYS, ARGV and RETURNS (style section 3):

    -- purpose.lua: what for.
    --
    -- KEYS  call     hash  ...          one name per line; a last name `day...` stands for any number
    -- ARGV  now_ms   int   ...          likewise
    -- RETURNS {status, ...}             every status in capitals
    --   DONE {n}  ...
    -- Idempotent: why a repeated run is harmless.

`-- include _name.lua` on a line of its own pastes a fragment of the same folder, so that a guard said once is
written once; Redis itself has no include.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.exceptions import ConnectionError, NoScriptError

from landline.chassis.redis import AnyRedis, AutoBatch

_INCLUDE = re.compile(r"^-- include (_\w+\.lua)$", re.MULTILINE)
_SECTION = re.compile(r"^-- (KEYS|ARGV|RETURNS|Idempotent:)(.*)$")
_NAME = re.compile(r"^\s*([a-z_]+)(\.\.\.)?(?:\s|$)")
_STATUS = re.compile(r"(?:^|\|)\s*([A-Z][A-Z_]{2,})\b")


class ScriptHeaderMissing(ValueError):
    """A script without purpose, KEYS, ARGV, RETURNS or its word on idempotence."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Names of a script's KEYS or ARGV, in order; `open_end`: the last names may repeat any number of
    times."""

    names: tuple[str, ...]
    open_end: bool

    def fit(self, given: int) -> bool:
        """Whether so many values match the header."""
        fixed = len(self.names) - 1 if self.open_end else len(self.names)
        return given >= fixed if self.open_end else given == fixed


class Script:
    """One script of a package's `lua` folder: `Script("call_control", "admit_call.lua")`."""

    def __init__(self, package: str, name: str) -> None:
        folder = files(package) / "lua"
        source = (folder / name).read_text()
        self.name = name
        self.source = source
        self.text = _INCLUDE.sub(lambda found: (folder / found[1]).read_text().rstrip(), source)
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        sections = _sections(name, source)
        self.purpose = source.partition("\n")[0].removeprefix(f"-- {name}: ")
        self.keys = _parameters(sections["KEYS"])
        self.argv = _parameters(sections["ARGV"])
        self.returns = sections["RETURNS"]

    @cached_property
    def statuses(self) -> frozenset[str]:
        """The statuses that the header promises."""
        return frozenset(status for line in self.returns for status in _STATUS.findall(line))

    async def run(self, batch: AutoBatch, keys: Sequence[str], argv: Sequence[Any]) -> Any:
        """Run it with the next batch; all keys must share a slot.

        Repeated once when the connection was lost: the header's `Idempotent:` says why that is harmless.
        Raises ValueError when the numbers of KEYS and ARGV are not the header's; redis errors as AutoBatch.
        """
        if not (self.keys.fit(len(keys)) and self.argv.fit(len(argv))):
            raise ValueError(f"{self.name}: {len(keys)} keys and {len(argv)} arguments do not fit its header")
        try:
            return await batch.execute("EVALSHA", self.sha, len(keys), *keys, *argv)
        except (NoScriptError, ConnectionError):  # with its text: who has restarted has forgotten it
            return await batch.execute("EVAL", self.text, len(keys), *keys, *argv)


async def load(redis: AnyRedis, scripts: Sequence[Script]) -> None:
    """Give every primary all scripts (redis-py sends SCRIPT LOAD to all of a Cluster), so that no first call
    pays for sending its text."""
    for script in scripts:
        await redis.script_load(script.text)


def _sections(name: str, source: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in source.splitlines():
        if not line.startswith("--"):
            break
        opening = _SECTION.match(line)
        if opening:
            current = found.setdefault(opening[1], [])
            current.append(opening[2])
        elif line.startswith("--  "):
            current.append(line[2:])
    missing = {"KEYS", "ARGV", "RETURNS", "Idempotent:"} - set(found)
    if missing or not source.startswith(f"-- {name}: "):
        raise ScriptHeaderMissing(f"{name}: header lacks {sorted(missing) or 'its name'}")
    return found


def _parameters(lines: list[str]) -> Parameters:
    found = [match for line in lines if (match := _NAME.match(line))]
    return Parameters(tuple(match[1] for match in found), any(match[2] for match in found))
