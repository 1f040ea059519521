"""How a service serves its OpenAPI document: as bytes, made once, and not in the process that admits calls.

Making provisioning's takes seconds of Python that no thread can share, and every admission of the process
would wait. So a process of its own makes it, with the code and settings of this one, when somebody asks; and
keeps it for the next (`openapi_cache`). Installing makes all of them beforehand.

python -m landline.chassis.openapi_served SERVICE     the document on standard output
python -m landline.chassis.openapi_served             make those that are missing
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from landline.chassis.logging import get_logger
from landline.chassis.openapi_cache import keep, kept
from landline.chassis.problems import Unavailable

Make = Callable[[], Awaitable[bytes]]
MADE_WITHIN_S = 60.0

log = get_logger(__name__)


def add_document(app: FastAPI, path: str) -> None:
    """The route. `app.state.document` makes the bytes: this very process, until something else is set."""
    kept = _Kept()
    app.state.document = lambda: _made_here(app)

    async def openapi(request: Request) -> Response:
        body, tag = await kept.get(request.app.state.document)
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(body, media_type="application/json", headers={"ETag": tag})

    app.add_route(path, openapi, include_in_schema=False)


class _Kept:
    """The document once it is made; who asks meanwhile waits for the same one."""

    def __init__(self) -> None:
        self._making = asyncio.Lock()
        self._made: tuple[bytes, str] | None = None

    async def get(self, make: Make) -> tuple[bytes, str]:
        """Bytes and ETag."""
        async with self._making:
            if self._made is None:
                body = await make()
                self._made = body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return self._made


async def _made_here(app: FastAPI) -> bytes:
    return as_bytes(app.openapi())


def as_bytes(document: dict[str, Any]) -> bytes:
    """As JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def with_document_apart(app: FastAPI, service: str) -> FastAPI:
    """The app of an installed service; another process makes its document: for those that serve calls."""
    app.state.document = _made_apart(service)
    return app


def _made_apart(service: str) -> Make:
    async def make() -> bytes:
        made = await asyncio.to_thread(kept, service)
        if made is not None:
            return made
        command = (sys.executable, "-P", "-m", __name__, service)
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        try:
            async with asyncio.timeout(MADE_WITHIN_S):
                body, complaint = await child.communicate()
        except TimeoutError:
            child.kill()
            await child.wait()
            body, complaint = b"", b"it took too long"
        if child.returncode != 0:
            log.error(
                "no OpenAPI document", service=service, reason=complaint.decode(errors="replace")[-2000:]
            )
            raise Unavailable("the document could not be made at the moment", code="no_document")
        return body

    return make


def main() -> None:
    """Make one document, or all that are missing."""
    from landline.chassis.embedded.services import load_services
    from landline.chassis.settings import Settings

    only = "".join(sys.argv[1:])
    for service in load_services(only=only):
        if only or kept(service.name) is None:
            document = as_bytes(service.app(Settings()).openapi())
            keep(service.name, document)
            if only:
                sys.stdout.buffer.write(document)


if __name__ == "__main__":
    main()
