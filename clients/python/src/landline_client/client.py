"""The client: one connection pool, one identity, a typed collection for every resource."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Self

import httpx

from landline_client.errors import refusal
from landline_client.resource import Transport
from landline_client.services import Billing, CallControl, Notifier, Provisioning

LOGIN = "/api/provisioning/v1/auth/login"
REFRESH = "/api/provisioning/v1/auth/refresh"
EARLY_S = 30.0


class Landline:
    """As an integrator by `api_key`, or as a person by `Landline.login(...)`."""

    def __init__(
        self, url: str, *, api_key: str | None = None, auth: httpx.Auth | None = None, timeout_s: float = 30.0
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.http = httpx.Client(base_url=url, headers=headers, auth=auth, timeout=timeout_s)
        self._transport = Transport(self.http)
        self.provisioning = Provisioning(self._transport)
        self.call_control = CallControl(self._transport)
        self.billing = Billing(self._transport)
        self.notifier = Notifier(self._transport)

    @classmethod
    def login(cls, url: str, username: str, password: str, otp: str | None = None) -> Self:
        """As a person; tokens are renewed before they end. Unauthorized, TooManyRequests."""
        body = {"username": username, "password": password, **({"otp": otp} if otp else {})}
        answer = httpx.post(f"{url}{LOGIN}", json=body, timeout=30)
        if answer.is_error:
            raise refusal(answer)
        return cls(url, auth=_Session(answer.json()))

    def request(self, method: str, path: str, **more: Any) -> Any:
        """What is not a row: actions, quotes, reports. The JSON of the answer, or None."""
        answer = self._transport.send(method, path, repeat=method == "GET", **more)
        return answer.json() if answer.content else None

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def __enter__(self) -> Self:
        """For `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()


class _Session(httpx.Auth):
    """A person's tokens. A refresh token works once: use one client in one thread at a time."""

    requires_response_body = True

    def __init__(self, tokens: dict[str, Any]) -> None:
        self._take(tokens)

    def _take(self, tokens: dict[str, Any]) -> None:
        self._access, self._refresh = str(tokens["access_token"]), str(tokens["refresh_token"])
        self._good_until = time.monotonic() + float(tokens["expires_in"]) - EARLY_S

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Renew the tokens when they are about to end, then send the request with them."""
        if time.monotonic() > self._good_until:
            url = request.url.copy_with(raw_path=REFRESH.encode())
            answer = yield httpx.Request("POST", url, json={"refresh_token": self._refresh})
            if answer.is_error:
                raise refusal(answer)
            self._take(answer.json())
        request.headers["Authorization"] = f"Bearer {self._access}"
        yield request
