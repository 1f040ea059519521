"""Refusals as exceptions, named for what happened. The service sends RFC 9457 problem details."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with one field."""

    field: str
    code: str
    message: str


class Refused(Exception):
    """The service refused. `code` says which rule; `problem` is all that it said."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status = answer.status_code
        self.problem = _problem(answer)
        self.code = str(self.problem.get("code", ""))
        self.detail = str(self.problem.get("detail", ""))
        self.errors = [
            FieldError(e["field"], e["code"], e["message"]) for e in self.problem.get("errors", [])
        ]
        self.request_id = answer.headers.get("x-request-id")
        super().__init__(f"{answer.request.method} {answer.request.url.path}: {self.status} {self.detail}")


class Unauthorized(Refused):
    """401: no token, or one that has expired or was revoked."""


class Forbidden(Refused):
    """403: no right to do this on this kind of thing."""


class NotFound(Refused):
    """404: not there, or not in your scope."""


class Conflict(Refused):
    """409: a rule forbids it as things stand; `needed_by` lists what still needs a row that was to go."""

    @property
    def needed_by(self) -> list[dict[str, Any]]:
        """Who still needs the row: resource, field, count, ids."""
        return list(self.problem.get("needed_by", []))


class VersionMismatch(Refused):
    """412: somebody changed the row since you saw it. Read it again."""


class Invalid(Refused):
    """422: `errors` names every wrong field."""


class TooManyRequests(Refused):
    """429: wait `retry_after_s`."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer)
        self.retry_after_s = int(answer.headers.get("retry-after", "1"))


class ServerError(Refused):
    """5xx: something on the other side is away or broken; 503 may be tried again."""


_BY_STATUS: dict[int, type[Refused]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: VersionMismatch,
    422: Invalid,
    429: TooManyRequests,
}


def refusal(answer: httpx.Response) -> Refused:
    """The exception of an answer."""
    other = ServerError if answer.status_code >= 500 else Refused
    return _BY_STATUS.get(answer.status_code, other)(answer)


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {"detail": answer.text[:500]}
    return found if isinstance(found, dict) else {"detail": str(found)[:500]}
