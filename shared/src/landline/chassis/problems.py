"""Errors as RFC 9457 problem details: classes named for the fact, rendered in one place.

Raise a `Problem` anywhere; `install(app)` turns it, and every error of parsing, into
`application/problem+json` `{type, title, status, detail, code, errors: [{field, code, message}]}`.
What the client sent is never echoed: a message may name a field, not repeat its value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

import asyncpg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from pydantic_core import ErrorDetails
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from landline.chassis.logging import get_logger
from landline.chassis.methods import allowed_methods
from landline.chassis.surroundings import is_surroundings

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 100
LONGEST_FIELD = 100

log = get_logger(__name__)


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with one field: `field` is a dotted path (`tiers.0.rate`), `code` is for machines."""

    field: str
    code: str
    message: str


class Problem(Exception):
    """An answer other than success. Subclasses set `status` and `code`; `code` says which rule."""

    status: ClassVar[int] = 500
    code: str = "internal_error"

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or code or self.code)
        self.detail = detail
        self.code = code or self.code
        self.errors = tuple(errors)
        self.headers = headers or {}
        self.extra = extra or {}


class Unauthorized(Problem):
    """No token, or a bad or expired one."""

    status, code = 401, "unauthorized"

    def __init__(self, detail: str = "a valid bearer token is needed", **more: Any) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"}, **more)


class Forbidden(Problem):
    """No right on this kind of resource, or on a field of it."""

    status, code = 403, "forbidden"


class NotFound(Problem):
    """It does not exist, or lies outside the caller's scope: the same answer."""

    status, code = 404, "not_found"


class Conflict(Problem):
    """A rule about the present state refuses it; `code` says which."""

    status, code = 409, "conflict"

    def __init__(self, code: str, detail: str = "", **more: Any) -> None:
        super().__init__(detail, code=code, **more)


class PreconditionFailed(Problem):
    """If-Match names another version: somebody else changed the row in between."""

    status, code = 412, "version_mismatch"


class PayloadTooLarge(Problem):
    """The body is larger than this address takes."""

    status, code = 413, "payload_too_large"


class UnsupportedMediaType(Problem):
    """The body's Content-Type is none that this address takes."""

    status, code = 415, "unsupported_media_type"


class InvalidInput(Problem):
    """Input that breaks rules; lists all fields at once."""

    status, code = 422, "invalid_input"

    def __init__(self, errors: Sequence[FieldError], detail: str = "", **more: Any) -> None:
        super().__init__(detail or _summary(errors), errors=errors, **more)


class TooManyRequests(Problem):
    """Throttled; `retry_after_s` says for how long."""

    status, code = 429, "too_many_requests"

    def __init__(self, detail: str, retry_after_s: int, **more: Any) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)}, **more)


class Unavailable(Problem):
    """Something we need is away; try again shortly."""

    status, code = 503, "unavailable"

    def __init__(self, detail: str, retry_after_s: int = 2, **more: Any) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)}, **more)


class FieldProblem(BaseModel):
    """One entry of `errors` (OpenAPI)."""

    field: str = Field(description="path of the field in the request, such as rights.clients")
    code: str = Field(description="stable word for programs")
    message: str = Field(description="sentence for people")


class ProblemDetails(BaseModel):
    """The body of every error (OpenAPI)."""

    type: str = Field(description="urn:landline:problem: and the code")
    title: str = Field(description="the HTTP status in words")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="what is wrong, for people")
    code: str = Field(description="stable word for programs")
    errors: list[FieldProblem] = Field(
        [], description="fields that are refused; empty where it is not about fields"
    )


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route: these errors, described as problem details."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {s: {"description": HTTPStatus(s).phrase, "content": content} for s in statuses}


def render(problem: Problem) -> Response:
    """The answer of a problem."""
    body = {
        "type": f"urn:landline:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "errors": [vars(e) for e in problem.errors[:MOST_ERRORS]],
        **problem.extra,
    }
    # ASCII: a field name may hold a lone surrogate, which UTF-8 cannot carry.
    return Response(json.dumps(body), problem.status, problem.headers, MEDIA_TYPE)


def field_errors(errors: Iterable[ErrorDetails | dict[str, Any]], skip: int = 0) -> list[FieldError]:
    """pydantic's errors as ours. `skip` leaves out leading parts of the location ("body", "query")."""
    return [_field_error(error, skip) for error in errors]


_CODES = {"extra_forbidden": "unknown_field", "missing": "required", "json_invalid": "malformed_json"}


def _field_error(error: ErrorDetails | dict[str, Any], skip: int) -> FieldError:
    kind = str(error["type"])
    path = [str(part) for part in error["loc"][skip:]]
    field = "body" if kind == "json_invalid" or not path else ".".join(path)
    message = str(error["msg"]).removeprefix("Value error, ")
    return FieldError(field[:LONGEST_FIELD], _CODES.get(kind, kind), message[:300])


def _summary(errors: Sequence[FieldError]) -> str:
    names = sorted({e.field for e in errors})
    return f"invalid: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}"


def install(app: FastAPI) -> None:
    """Render problems, parsing errors, HTTP errors and, as a bug of ours, everything else."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(DBAPIError, _on_database)
    app.add_exception_handler(PoolTimeout, _on_database)
    for away in (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        # A refused connection reaches us bare: neither driver nor SQLAlchemy wraps it.
        app.add_exception_handler(away, _on_database)
    app.add_exception_handler(RedisError, _on_redis)
    app.add_exception_handler(Exception, _on_bug)


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    if error.status >= 500:
        log.warning("answered with a problem", code=error.code, detail=error.detail)
    return render(error)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes) and error.body:  # FastAPI parses what is called JSON, and only that
        return render(UnsupportedMediaType("the body must be JSON: say Content-Type: application/json"))
    return render(InvalidInput(field_errors(error.errors(), skip=1)))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    cause = error.__cause__
    if error.status_code == 400 and isinstance(cause, ValueError | RecursionError):
        # A body that is no JSON: bad UTF-8, an integer of 5,000 digits, 100,000 brackets.
        return render(InvalidInput([FieldError("body", "malformed_json", "the body is not readable JSON")]))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = allowed_methods(request)
    problem = Problem(str(error.detail), code=_http_code(error.status_code), headers=headers)
    problem.status = error.status_code  # type: ignore[misc]
    return render(problem)


async def _on_database(request: Request, error: Exception) -> Response:
    """A store that is away is 503; a value that no column can hold is the client's; the rest is a bug."""
    if _is_bad_value(error):
        message = "a value cannot be stored as it is"
        return render(InvalidInput([FieldError("body", "invalid_value", message)]))
    if is_surroundings(error) and not isinstance(error, _OF_OUR_FILES):
        log.warning("database away", path=request.url.path, error=type(error).__name__)
        return render(Unavailable("the database does not answer at the moment", code="database_away"))
    return await _on_bug(request, error)


_OF_OUR_FILES = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)


async def _on_redis(request: Request, error: Exception) -> Response:
    """Redis away, or not taking writes, is 503; a wrong command is a bug."""
    if is_surroundings(error):
        log.warning("redis away", path=request.url.path, error=type(error).__name__)
        return render(Unavailable("Redis does not answer at the moment", code="redis_away"))
    return await _on_bug(request, error)


def _is_bad_value(error: BaseException | None) -> bool:
    """SQLSTATE class 22 (data exception), or asyncpg refusing an argument before it sends it."""
    orig = getattr(error, "orig", error)
    cause = getattr(orig, "__cause__", None) or orig
    return isinstance(cause, asyncpg.DataError) or str(getattr(cause, "sqlstate", "")).startswith("22")


def _http_code(status: int) -> str:
    return HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")


async def _on_bug(request: Request, error: Exception) -> Response:
    log.error("unhandled error", path=request.url.path, exc_info=error)
    return render(Problem("an error of ours; it has been logged"))
