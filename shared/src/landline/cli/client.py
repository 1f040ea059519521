"""REST as one person or key: tokens renewed by themselves, failures as `Failed` with their exit code."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx

from landline.cli import profile
from landline.cli.exits import Exit, Failed

PROVISIONING = "/api/provisioning/v1"
CALL_CONTROL = "/api/call-control/v1"
BILLING = "/api/billing/v1"
NOTIFIER = "/api/notifier/v1"
SERVICES = {
    "provisioning": PROVISIONING,
    "call-control": CALL_CONTROL,
    "billing": BILLING,
    "notifier": NOTIFIER,
}
TIMEOUT = httpx.Timeout(600.0, connect=5.0)
EARLY_S = 30
AWAY = (502, 503, 504)
TRIES = 3

Row = dict[str, Any]


class Client:
    """A session. `token` given: used as it is; else that of the profile, renewed when it runs out."""

    def __init__(self, url: str | None, token: str | None) -> None:
        self._given = token
        self._profile = profile.Profile() if url and token else profile.load()
        self.url = (url or self._profile.url).rstrip("/")
        try:
            self.http = httpx.Client(base_url=self.url, timeout=TIMEOUT)
        except (httpx.InvalidURL, ValueError) as error:
            raise Failed(Exit.USAGE, f"{self.url} is no address: {error}") from None

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET."""
        return self.request("GET", path, params=query).json()

    def find(self, path: str, **query: Any) -> Any:
        """The JSON of a GET, or None where there is nothing or one may not look."""
        try:
            return self.get(path, **query)
        except Failed as failed:
            if (failed.problem or {}).get("status") in (403, 404, 422):
                return None
            raise

    def items(self, path: str, **query: Any) -> Iterator[Row]:
        """Every item of a paged list."""
        while True:
            page = self.get(path, limit=500, **query)
            yield from page["items"]
            if not page.get("next_cursor"):
                return
            query["cursor"] = page["next_cursor"]

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """A POST with an Idempotency-Key, so that one whose answer was lost may be sent again."""
        headers = {"Idempotency-Key": str(uuid4()), **more.pop("headers", {})}
        content = {} if body is None else {"json": body}
        return self.request("POST", path, headers=headers, tries=TRIES, **content, **more)

    def request(self, method: str, path: str, tries: int = 1, **more: Any) -> httpx.Response:
        """One request, answered well; Failed otherwise."""
        headers = {**more.pop("headers", {}), "Authorization": f"Bearer {self._token()}"}
        answer = self.raw(method, path, tries, headers=headers, **more)
        if answer.is_error:
            raise refused(answer)
        return answer

    def raw(self, method: str, path: str, tries: int = 1, **more: Any) -> httpx.Response:
        """Any answer at all. Failed when there is none."""
        for left in reversed(range(tries)):
            try:
                answer = self.http.request(method, path, **more)
            except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
                raise Failed(Exit.USAGE, f"{self.url} is no address: {error}") from None
            except httpx.HTTPError as error:
                if not left:
                    reason = str(error) or type(error).__name__
                    raise Failed(Exit.UNREACHABLE, f"{self.url} does not answer: {reason}") from None
            else:
                if answer.status_code not in AWAY or not left:
                    return answer
            time.sleep(0.5)
        raise AssertionError("the last try returns or raises")

    def _token(self) -> str:
        if self._given is not None:
            return self._given
        if self._profile.refresh_token is None:
            raise Failed(Exit.REFUSED, "not logged in: landline login, or give --token or LANDLINE_TOKEN")
        if self._profile.url.rstrip("/") != self.url:
            message = f"logged in at {self._profile.url}, not at {self.url}: landline login --url {self.url}"
            raise Failed(Exit.REFUSED, message)
        if time.time() > self._profile.expires_at - EARLY_S:
            self._renew()
        return str(self._profile.access_token)

    def _renew(self) -> None:
        with profile.locked():
            self._profile = profile.load()
            if time.time() <= self._profile.expires_at - EARLY_S:
                return  # another one did it while we waited
            body = {"refresh_token": self._profile.refresh_token}
            answer = self.raw("POST", f"{PROVISIONING}/auth/refresh", json=body)
            if answer.is_error:
                raise refused(answer, "the session has ended: landline login")
            self._profile = with_tokens(self._profile, answer.json())
            profile.save(self._profile)


def with_tokens(known: profile.Profile, pair: Row) -> profile.Profile:
    """A profile with the tokens of a login or a refresh."""
    return replace(
        known,
        access_token=pair["access_token"],
        refresh_token=pair["refresh_token"],
        expires_at=time.time() + pair["expires_in"],
    )


def refused(answer: httpx.Response, message: str = "") -> Failed:
    """An answer that is no success, as the platform explains it."""
    try:
        problem: Any = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"status": answer.status_code, "detail": answer.text[:200]}
    code = Exit.UNREACHABLE if answer.status_code in AWAY else Exit.REFUSED
    said = problem.get("detail") or problem.get("title") or problem.get("code")
    return Failed(code, message or f"{answer.status_code} {problem.get('code', '')}: {said}", problem)


def brand_of(client: Client, said: str | None) -> Row:
    """A brand by name, SIP domain or id; without one: the caller's own, or the only one."""
    if said is None:
        found = list(client.items(f"{PROVISIONING}/brands"))
        if len(found) == 1:
            return found[0]
        raise Failed(Exit.USAGE, f"say which of {len(found)} brands, by name, SIP domain or id")
    row = _by(client, "brands", said, ("sip_domain", "name"))
    if row is None:
        raise Failed(Exit.REFUSED, f"no brand is called {said}", {"status": 404, "code": "not_found"})
    return row


def client_of(client: Client, brand: Row, said: str) -> Row:
    """A client of a brand, by name or id."""
    row = _by(client, "clients", said, ("name",), brand_id=brand["id"])
    if row is None:
        raise Failed(Exit.REFUSED, f"no client of {brand['name']} is called {said}")
    return row


def _by(client: Client, resource: str, said: str, names: tuple[str, ...], **more: Any) -> Row | None:
    with contextlib.suppress(ValueError):
        names = ("id",) if str(UUID(said)) == said.lower() else names
    for name in names:
        for row in client.items(f"{PROVISIONING}/{resource}", **{name: said, **more}):
            return row
    return None
