"""What OpenAPI 3.1 asks of a document, as far as generators of clients stumble over it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

Json = Any
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
TYPES = {"null", "boolean", "object", "array", "number", "string", "integer"}
PLACES = {"query", "header", "path", "cookie"}


def faults(document: Json) -> list[str]:
    """Every broken rule, with where it is broken; empty for a valid document."""
    found = [*_head(document)]
    found += [f"dangling $ref {ref}" for ref in refs(document) if resolve(document, ref) is None]
    for path, item in document.get("paths", {}).items():
        if not path.startswith("/"):
            found.append(f"{path}: does not begin with /")
        for method, operation in item.items():
            if method in METHODS:
                shared = item.get("parameters", [])
                found += [
                    f"{method} {path}: {fault}" for fault in _operation(path, operation, shared, document)
                ]
    found += [f"schema {where}: {fault}" for where, fault in _schemas(document)]
    return found


# One's own account: its answers are tokens and secrets, not kept, not even sealed; half of it has no
# principal yet; and what is done twice (a login, a new password) does no harm or is refused (decision 0027).
NO_IDEMPOTENCY_KEY = "/auth/"


def lint(document: Json) -> list[str]:
    """House rules on top of validity: everything is described, shown by example, and says how it refuses."""
    found, ids = [], Counter(op.get("operationId") for _, _, op in operations(document))
    for method, path, operation in operations(document):
        if not any(status[0] == "2" for status in operation["responses"]):
            continue  # a redirect
        wrong = [*_words(operation), *_refuses(path, operation), *_shown(document, operation)]
        if ids[operation.get("operationId")] > 1:
            wrong.append("operationId is not unique: give the route another name")
        if method == "post" and not _is_idempotent(path, operation):
            wrong.append("no Idempotency-Key: use `once`, and name the header in openapi_extra")
        found += [f"{method} {path}: {each}" for each in wrong]
    return found


def _is_idempotent(path: str, operation: Json) -> bool:
    if NO_IDEMPOTENCY_KEY in path or "edge" in operation.get("tags", []):
        return True
    return any(p["name"] == "Idempotency-Key" for p in operation.get("parameters", []))


def _words(operation: Json) -> Iterator[str]:
    if not operation.get("tags"):
        yield "no tag"
    if len(operation.get("summary", "")) < 2 or len(operation.get("description", "")) < 5:
        yield "no summary or description: give the route a docstring"
    for parameter in operation.get("parameters", []):
        if not parameter.get("description"):
            yield f"parameter {parameter['name']} is not described"


def _refuses(path: str, operation: Json) -> Iterator[str]:
    answers = operation["responses"]
    wanted = {"503"}
    if operation.get("security"):
        wanted.add("401")
    if "{" in path:
        wanted.add("404")
    if operation.get("requestBody"):
        wanted |= {"413", "422"}
    yield from (f"does not say how it refuses with {status}" for status in sorted(wanted - set(answers)))
    for status, answer in answers.items():
        if status[0] in "45" and "application/problem+json" not in answer.get("content", {}):
            yield f"{status} is no problem+json"


def _shown(document: Json, operation: Json) -> Iterator[str]:
    """Every JSON body and answer has an example, and the example is one."""
    bodies = {"body": operation.get("requestBody") or {}}
    bodies |= {status: a for status, a in operation["responses"].items() if status[0] == "2"}
    for where, body in bodies.items():
        media = body.get("content", {}).get("application/json")
        if media is None or not media.get("schema"):
            continue
        if not media.get("examples"):
            yield f"{where} has no example"
        for name, example in media.get("examples", {}).items():
            for fault in _misfits(document, media["schema"], example["value"]):
                yield f"{where}, example {name}: {fault} (give the field examples=[...])"


def _misfits(document: Json, schema: Json, value: Json) -> list[str]:
    whole = {**schema, "components": document["components"]}
    validator = jsonschema_rs.Draft202012Validator(whole)
    return [f"{'.'.join(map(str, e.instance_path))}: {e.message}"[:200] for e in validator.iter_errors(value)]


def _head(document: Json) -> Iterator[str]:
    if not re.fullmatch(r"3\.1\.\d+", str(document.get("openapi"))):
        yield "openapi is not 3.1"
    if not {"title", "version"} <= set(document.get("info", {})):
        yield "info needs title and version"
    ids = Counter(operation.get("operationId") for _, _, operation in operations(document))
    ids.pop(None, None)
    yield from (f"operationId {name} is used {n} times" for name, n in ids.items() if n > 1)


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """(method, path, operation) of a document."""
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            if method in METHODS:
                yield method, path, operation


def _operation(path: str, operation: Json, shared: list[Json], document: Json) -> Iterator[str]:
    parameters = [_deref(document, each) for each in [*shared, *operation.get("parameters", [])]]
    declared = {each["name"] for each in parameters if each.get("in") == "path"}
    if declared != set(re.findall(r"{(\w+)}", path)):
        yield f"path parameters {sorted(declared)} do not match the path"
    for each in parameters:
        if each.get("in") not in PLACES or not ("schema" in each or "content" in each):
            yield f"parameter {each.get('name')} needs a place and a schema"
        if each.get("in") == "path" and each.get("required") is not True:
            yield f"path parameter {each['name']} must be required"
    named = Counter((each.get("name", "").lower(), each.get("in")) for each in parameters)
    yield from (f"parameter {name} is declared twice" for name, n in named.items() if n > 1)
    yield from _bodies(operation)
    schemes = document.get("components", {}).get("securitySchemes", {})
    for need in operation.get("security", []):
        yield from (f"unknown security scheme {name}" for name in need if name not in schemes)


def _bodies(operation: Json) -> Iterator[str]:
    answers = operation.get("responses") or {}
    if not answers:
        yield "no responses"
    for status, answer in answers.items():
        if not re.fullmatch(r"[1-5](\d\d|XX)|default", str(status)) or not isinstance(status, str):
            yield f"response status {status!r}"
        if "description" not in answer and "$ref" not in answer:
            yield f"response {status} has no description"
    bodies = [operation.get("requestBody") or {}, *answers.values()]
    for body in bodies:
        for kind, media in body.get("content", {}).items():
            if "/" not in kind or not isinstance(media, dict):
                yield f"media type {kind}"


def refs(part: Json) -> Iterator[str]:
    """Every $ref below a part."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from refs(value)
    elif isinstance(part, list):
        for value in part:
            yield from refs(value)


def resolve(document: Json, ref: str) -> Json:
    """What a local $ref names, or None."""
    part = document
    for word in ref.removeprefix("#/").split("/"):
        word = word.replace("~1", "/").replace("~0", "~")
        if not isinstance(part, dict) or word not in part:
            return None
        part = part[word]
    return part


def _deref(document: Json, part: Json) -> Json:
    return resolve(document, part["$ref"]) if "$ref" in part else part


def _schemas(document: Json) -> Iterator[tuple[str, str]]:
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
            yield name, "is no component name"
        yield from ((f"{name}{where}", fault) for where, fault in _schema(schema, ""))


def _schema(schema: Json, where: str) -> Iterator[tuple[str, str]]:
    if not isinstance(schema, dict):
        if not isinstance(schema, bool):
            yield where, "is no schema"
        return
    kinds = schema.get("type", [])
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if kind not in TYPES:
            yield where, f"type {kind!r}"
    if "nullable" in schema or schema.get("exclusiveMinimum") is True:
        yield where, "a word of OpenAPI 3.0"
    required = set(schema.get("required", []))
    missing = required - set(schema.get("properties", required))
    if missing:
        yield where, f"requires what it does not describe: {sorted(missing)}"
    for name, each in schema.get("properties", {}).items():
        yield from _schema(each, f"{where}.{name}")
    for word in ("items", "additionalProperties", "not"):
        if word in schema:
            yield from _schema(schema[word], f"{where}.{word}")
    for word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for number, each in enumerate(schema.get(word, [])):
            yield from _schema(each, f"{where}.{word}[{number}]")
