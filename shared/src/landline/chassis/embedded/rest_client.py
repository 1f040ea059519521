"""A small synchronous REST client: for the demo, the bench and tests that drive a run from outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx


class Refused(Exception):
    """The platform answered with a problem; the text has method, path, status and the problem."""

    def __init__(self, answer: httpx.Response) -> None:
        request = answer.request
        super().__init__(f"{request.method} {request.url.path}: {answer.status_code} {answer.text}")
        self.status = answer.status_code


class RestClient:
    """JSON in and out as one person or key; a refusal is raised as `Refused`."""

    def __init__(self, url: str, token: str | None = None, timeout_s: float = 30.0) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)

    @classmethod
    def login(cls, url: str, username: str, password: str) -> RestClient:
        """As a person."""
        body = {"username": username, "password": password}
        return cls(url, cls(url).post("/api/provisioning/v1/auth/login", body)["access_token"])

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET."""
        return _json(self.http.get(path, params=query))

    def post(self, path: str, body: Any, **headers: str) -> Any:
        """The JSON of a POST; header names with `_` for `-`: `X_Reason`, `Idempotency_Key`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return _json(self.http.post(path, json=body, headers=named))

    def patch(self, path: str, body: Any) -> Any:
        """The JSON of a PATCH (merge patch)."""
        return _json(self.http.patch(path, json=body))

    def items(self, path: str, **query: Any) -> Iterator[Any]:
        """Every item of a paged list."""
        while True:
            page = self.get(path, limit=500, **query)
            yield from page["items"]
            if not page.get("next_cursor"):
                return
            query["cursor"] = page["next_cursor"]


def _json(answer: httpx.Response) -> Any:
    if answer.is_error:
        raise Refused(answer)
    return answer.json() if answer.content else None
