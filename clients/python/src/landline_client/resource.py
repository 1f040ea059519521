"""One collection: list, read, create, change, delete, by the conventions that all of them share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypedDict, TypeVar, cast
from uuid import uuid4

import httpx

from landline_client.errors import refusal

Read = TypeVar("Read")
Create = TypeVar("Create")
Patch = TypeVar("Patch")
Headers = dict[str, str]

MOST_ROWS = 500
TRIES = 3


class Page(TypedDict, Generic[Read]):
    """A page of rows. `total` when it was asked for; above 100,000 it may be `total_estimated`."""

    items: list[Read]
    next_cursor: str | None
    total: int | None
    total_estimated: bool | None


class Transport:
    """Sends requests; refusals are exceptions; a broken connection is tried again where it does no harm."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def send(self, method: str, path: str, *, repeat: bool, **more: Any) -> httpx.Response:
        """The answer; `repeat`: the request may be sent again when its connection broke."""
        for left in reversed(range(TRIES if repeat else 1)):
            try:
                answer = self.http.request(method, path, **more)
            except httpx.TransportError:
                if not left:
                    raise
                continue
            if answer.is_error:
                raise refusal(answer)
            return answer
        raise AssertionError("unreachable")


class Resource(Generic[Read, Create, Patch]):
    """The rows at one address. Filters are keywords: `name__contains="casa"`, `max_calls__gte=2`."""

    def __init__(self, transport: Transport, path: str) -> None:
        self._transport, self.path = transport, path

    def page(
        self, *, limit: int = 50, cursor: str | None = None, sort: str | None = None, **filters: Any
    ) -> Page[Read]:
        """One page; go on with its `next_cursor`."""
        query = {"limit": limit, "cursor": cursor, "sort": sort, **filters}
        sent = {name: _text(value) for name, value in query.items() if value is not None}
        return cast("Page[Read]", self._transport.send("GET", self.path, repeat=True, params=sent).json())

    def iterate(self, *, sort: str | None = None, **filters: Any) -> Iterator[Read]:
        """Every row, page after page; rows that come and go meanwhile neither repeat nor hide others."""
        cursor: str | None = None
        while True:
            page = self.page(limit=MOST_ROWS, cursor=cursor, sort=sort, **filters)
            yield from page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return

    def csv(self, **filters: Any) -> str:
        """The whole filtered list as CSV."""
        sent = {name: _text(value) for name, value in filters.items()}
        headers = {"Accept": "text/csv"}
        return self._transport.send("GET", self.path, repeat=True, params=sent, headers=headers).text

    def get(self, row_id: str) -> Read:
        """One row."""
        return cast("Read", self._transport.send("GET", f"{self.path}/{row_id}", repeat=True).json())

    def create(self, body: Create, *, reason: str | None = None, key: str | None = None) -> Read:
        """A new row; done once, also when the connection breaks and it is sent again."""
        headers = {"Idempotency-Key": key or str(uuid4()), **_reason(reason)}
        return cast(
            "Read", self._transport.send("POST", self.path, repeat=True, json=body, headers=headers).json()
        )

    def change(self, row: Read | str, patch: Patch, *, reason: str | None = None) -> Read:
        """A JSON merge patch: null clears, what is left out stays.

        Given a row, it is changed only while it is the version you saw (VersionMismatch otherwise); given an
        id, whatever its version is.
        """
        row_id, headers = _known(row)
        path, headers = f"{self.path}/{row_id}", {**headers, **_reason(reason)}
        return cast(
            "Read", self._transport.send("PATCH", path, repeat=False, json=patch, headers=headers).json()
        )

    def delete(self, row: Read | str, *, reason: str | None = None) -> None:
        """Remove a row; Conflict says what still needs it."""
        row_id, headers = _known(row)
        headers |= _reason(reason)
        self._transport.send("DELETE", f"{self.path}/{row_id}", repeat=False, headers=headers)


def _known(row: Any) -> tuple[str, Headers]:
    """Id and If-Match of a row; of an id, no condition."""
    if isinstance(row, Mapping):
        return str(row["id"]), {"If-Match": f'"{row["version"]}"'} if "version" in row else {}
    return str(row), {}


def _reason(reason: str | None) -> Headers:
    return {"X-Reason": reason} if reason else {}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list | tuple | set) else str(value)
