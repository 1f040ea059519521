"""What FastAPI leaves out of an OpenAPI document, and every service's document should say.

Problem details instead of FastAPI's own errors, examples of each request and answer, the refusals that any
operation may meet (a store that is away, a body too large), a sentence about each operation. Tests lint the
result (`tests/support/openapi_rules.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from landline.chassis import problems
from landline.chassis.openapi_examples import example_of

Json = Any
_METHODS = ("get", "put", "post", "delete", "patch")
_DETAILS = {
    401: ("unauthorized", "a valid token is needed"),
    403: ("no_right", "no right to do this on clients"),
    404: ("not_found", "no such client"),
    409: ("name_taken", "name: another one has this already"),
    412: ("version_mismatch", "the version now is 3"),
    413: ("content_too_large", "the body is larger than 1048576 bytes"),
    415: ("unsupported_media_type", "the body must be JSON: say Content-Type: application/json"),
    422: ("invalid_input", "invalid: name"),
    429: ("too_many_attempts", "too many attempts; wait a little"),
    503: ("database_away", "the database does not answer at the moment"),
}
_ACRONYMS = {"ddi": "DDI", "ddis": "DDIs", "api": "API", "csv": "CSV", "sip": "SIP"}
_INVALID = {"field": "name", "code": "string_too_short", "message": "String should have at least 1 character"}


def operation_id(name: str) -> str:
    """`list rating-plans` -> `list_rating_plans`: what a generated client calls it."""
    return name.replace(" ", "_").replace("-", "_").replace("/", "_").lower()


def title(name: str) -> str:
    """`List Rating-Plans` -> `List rating plans`: a title as people write it. Twice changes nothing."""
    words = name.replace("_", " ").replace("-", " ").split()
    if all(word[:1].isupper() for word in words):  # FastAPI's, made of a function's name
        words = [words[0], *(word.lower() for word in words[1:])]
    words = [_ACRONYMS.get(word.lower(), word) for word in words]
    text = " ".join(words)
    return text[0].upper() + text[1:]


def complete(document: Json) -> Json:
    """Complete a document in place; doing it again changes nothing."""
    document["info"].setdefault("license", {"name": "Apache-2.0", "identifier": "Apache-2.0"})
    _describe_problems(document)
    for operation in _operations(document):
        _describe(operation)
        _refusals(operation)
        _examples(document, operation)
    return document


def _operations(document: Json) -> Iterator[Json]:
    for item in document["paths"].values():
        yield from (operation for method, operation in item.items() if method in _METHODS)


def _describe_problems(document: Json) -> None:
    parts = document.setdefault("components", {}).setdefault("schemas", {})
    if "ProblemDetails" not in parts:
        details = problems.ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        parts.update(details.pop("$defs"))
        parts["ProblemDetails"] = details
    for name in ("HTTPValidationError", "ValidationError"):
        parts.pop(name, None)


def _describe(operation: Json) -> None:
    summary = operation["summary"] = title(operation.get("summary") or operation["operationId"])
    operation.setdefault("description", f"{summary}.")
    for parameter in operation.get("parameters", []):
        if not parameter.get("description"):
            known = {"id": "the row's id", "limit": "rows per page"}
            name = parameter["name"]
            parameter["description"] = known.get(name, name.replace("__", " ").replace("_", " "))


def _refusals(operation: Json) -> None:
    answers = {str(status): answer for status, answer in operation["responses"].items()}
    wanted = {503} | {int(s) for s in answers if s[0] in "45" and _is_bare(answers[s])}
    if body := operation.get("requestBody"):
        wanted |= {413, 415} if set(body["content"]) == {"application/json"} else {413}
    for status, answer in problems.responses(*sorted(wanted)).items():
        if _is_bare(answers.get(str(status), {})):
            answers[str(status)] = answer
    for status, answer in answers.items():
        media = answer.get("content", {}).get(problems.MEDIA_TYPE)
        if media is not None and status.isdigit():
            answers[status] = {**answer, "content": {problems.MEDIA_TYPE: {**media, **_problem(int(status))}}}
    operation["responses"] = dict(sorted(answers.items()))


def _is_bare(answer: Json) -> bool:
    """No problem details: FastAPI's own description of a validation error, or none at all."""
    return problems.MEDIA_TYPE not in answer.get("content", {})


def _problem(status: int) -> Json:
    code, detail = _DETAILS.get(status, ("problem", HTTPStatus(status).phrase))
    value = {
        "type": f"urn:landline:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [_INVALID] if status == 422 else [],
    }
    return {"examples": {code: {"value": value}}}


def _examples(document: Json, operation: Json) -> None:
    bodies = [(operation.get("requestBody") or {}, False)]
    bodies += [(a, True) for s, a in operation["responses"].items() if s.startswith("2")]
    for body, whole in bodies:
        media = body.get("content", {}).get("application/json")
        if media is not None and media.get("schema") and not media.get("examples"):
            with contextlib.suppress(KeyError):  # call-control's structs come later, and complete again
                value = example_of(document, media["schema"], whole=whole)
                media["examples"] = {"typical": {"value": value}}
