"""Every operation of the four services, read from the OpenAPI documents that a running stack serves.

Tests that walk the API take their list from here, so that an operation added tomorrow is walked tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.openapi_rules import METHODS, resolve

SERVICES = ("provisioning", "call-control", "billing", "notifier")
Json = Any
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    service: str
    method: str
    path: str
    spec: Json = field(repr=False, compare=False)
    document: Json = field(repr=False, compare=False)

    def __str__(self) -> str:
        """`GET /api/billing/v1/rates`."""
        return f"{self.method} {self.path}"

    @property
    def below(self) -> str:
        """The path below the service's base: `clients/{id}`."""
        return self.path.removeprefix(f"/api/{self.service}/v1/")

    @property
    def path_parameters(self) -> list[str]:
        """The names in braces, in order."""
        return _PARAMETER.findall(self.path)

    @property
    def query_parameters(self) -> list[str]:
        """The names of its query parameters."""
        return [p["name"] for p in self.spec.get("parameters", []) if p["in"] == "query"]

    @property
    def headers(self) -> list[str]:
        """The names of its header parameters."""
        return [p["name"] for p in self.spec.get("parameters", []) if p["in"] == "header"]

    @property
    def is_for_edges(self) -> bool:
        """Taken with an edge key only."""
        return any("edge_key" in need for need in self.spec.get("security", []))

    @property
    def is_open(self) -> bool:
        """Asked without any token: login and the like."""
        return not self.spec.get("security")

    @property
    def is_list(self) -> bool:
        """A list with all conventions of contracts section 2."""
        return self.method == "GET" and {"limit", "cursor", "sort"} <= set(self.query_parameters)

    @property
    def kinds(self) -> set[str]:
        """The media types of its good answers."""
        answers = [a for s, a in self.spec["responses"].items() if s.startswith("2")]
        return {kind for answer in answers for kind in answer.get("content", {})}

    def body(self) -> tuple[str, Json] | None:
        """Media type and schema of what it takes."""
        content = self.spec.get("requestBody", {}).get("content", {})
        for kind, media in content.items():
            return kind, self.deref(media["schema"])
        return None

    def answer(self) -> Json:
        """The schema of its good answer, or None."""
        for status, answer in self.spec["responses"].items():
            media = answer.get("content", {}).get("application/json")
            if status.startswith("2") and media:
                return self.deref(media.get("schema", {}))
        return None

    def deref(self, schema: Json) -> Json:
        """What a schema says, its reference followed."""
        while "$ref" in schema:
            schema = resolve(self.document, schema["$ref"])
        return schema


@dataclass(frozen=True)
class Surface:
    """All operations."""

    documents: dict[str, Json]
    operations: tuple[Operation, ...]

    @classmethod
    def of(cls, url: str) -> Surface:
        """What a stack serves."""
        documents = {}
        for service in SERVICES:
            answer = httpx.get(f"{url}/api/{service}/v1/openapi.json", timeout=120)
            assert answer.status_code == 200, answer.text
            documents[service] = answer.json()
        return cls(documents, tuple(o for s in SERVICES for o in _operations(s, documents[s])))

    def of_service(self, service: str) -> list[Operation]:
        """One service's."""
        return [each for each in self.operations if each.service == service]

    def find(self, method: str, path: str) -> Operation | None:
        """By method and path, as written in OpenAPI."""
        return next((o for o in self.operations if (o.method, o.path) == (method, path)), None)

    def collections(self, service: str) -> Iterator[Operation]:
        """The lists whose rows have an address of their own."""
        for each in self.of_service(service):
            if each.is_list and not each.path_parameters:
                yield each


def _operations(service: str, document: Json) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method, spec in item.items():
            if method in METHODS:
                yield Operation(service, method.upper(), path, spec, document)
