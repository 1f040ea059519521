"""Documents as files: JSON or YAML, `-` for standard input or output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from landline.chassis.document_text import JSON_TYPE, YAML_TYPE, Unreadable, read_text
from landline.cli.exits import Exit, Failed


def read(name: str) -> tuple[bytes, str]:
    """The bytes and their media type, which the platform reads; JSON if it looks like it."""
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Failed(Exit.USAGE, f"{name} cannot be read: {error.strerror}") from None
    return raw, JSON_TYPE if raw.lstrip()[:1] in (b"{", b"[") else YAML_TYPE


def parse(name: str) -> Any:
    """The content, read exactly as the platform would read it."""
    raw, media_type = read(name)
    try:
        return read_text(raw, media_type)
    except Unreadable as error:
        raise Failed(Exit.REFUSED, f"{name}: {error.message}") from None


def write(name: str, content: str) -> None:
    """To a file, whole or not at all, or to standard output."""
    if name == "-":
        sys.stdout.write(content)
        return
    target = Path(name)
    new = target.with_name(f"{target.name}.new")
    try:
        new.write_text(content, "utf-8")
        new.replace(target)
    except OSError as error:
        raise Failed(Exit.USAGE, f"{name} cannot be written: {error.strerror}") from None
