"""OpenAPI documents that were made already, beside the installed code: `<sys.prefix>/share/landline/`.

A document depends on the code alone, so a file's name says which code made it: another state of any source,
another name. Where the place can't be written to, nothing is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import sys
from pathlib import Path

FOLDER = Path(sys.prefix) / "share" / "landline"


def kept(service: str) -> bytes | None:
    """The document as this very code makes it, if it was made before."""
    with contextlib.suppress(OSError):
        return _path(service).read_bytes()
    return None


def keep(service: str, document: bytes) -> None:
    """For the next process; older ones of the service go."""
    path = _path(service)
    draft = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        FOLDER.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(document)
        draft.replace(path)
        for old in FOLDER.glob(f"openapi-{service}-*.json"):
            if old != path:
                old.unlink(missing_ok=True)


def _path(service: str) -> Path:
    return FOLDER / f"openapi-{service}-{_state(service)}.json"


def _state(service: str) -> str:
    """Name, size and second of every source that makes a document; layers of images keep no finer moment."""
    found = hashlib.sha256(sys.version.encode())
    for package in ("landline", service.replace("-", "_"), "fastapi", "pydantic"):
        spec = importlib.util.find_spec(package)
        for place in sorted(spec.submodule_search_locations or ()) if spec else ():
            for source in sorted(Path(place).rglob("*.py")):
                about = source.stat()
                found.update(f"{source} {about.st_size} {int(about.st_mtime)}\n".encode())
    return found.hexdigest()[:24]
