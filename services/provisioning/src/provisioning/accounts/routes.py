"""The HTTP side of accounts: `/auth/...` (contracts section 2). Needs `app.state.accounts`, `.verifier`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from landline.chassis.auth import Caller
from landline.chassis.problems import responses
from landline.chassis.request_headers import takes
from landline.chassis.resources import ApiModel, actor_of, check_texts, reason_of
from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from provisioning.accounts.login import Tokens
from provisioning.accounts.password_resets import MAX_TOKEN_CHARS
from provisioning.accounts.sessions import Origin
from provisioning.accounts.tokens import MAX_REFRESH_CHARS
from provisioning.accounts.wiring import Accounts

router = APIRouter(prefix="/auth", tags=["auth"])

Password = Annotated[str, Field(min_length=1, max_length=1024)]
Otp = Annotated[str, Field(min_length=6, max_length=20)]


class Login(ApiModel):
    """A user name and its password; `otp` when the account has a second factor (or a recovery code)."""

    username: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="whatever its case")
    password: Password = Field(description="of the account")
    otp: Otp | None = Field(
        None, description="six digits of the second factor, or a recovery code; null: none in force"
    )


class Refresh(ApiModel):
    """A refresh token. It works once."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=MAX_REFRESH_CHARS)] = Field(
        description="the latest one; each works once"
    )


class Impersonate(ApiModel):
    """The brand or the client to act as."""

    brand_id: UUID | None = None
    client_id: UUID | None = None

    @model_validator(mode="after")
    def _one(self) -> Impersonate:
        if self.brand_id is None and self.client_id is None:
            raise PydanticCustomError("required", "say as whom: brand_id or client_id")
        return self


class NewPassword(ApiModel):
    """The caller's own password, from what to what."""

    current_password: Password = Field(description="the one in force")
    new_password: Password = Field(description="at least 10 characters")


class ForgottenPassword(ApiModel):
    """Whose password was forgotten."""

    username: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="of the account; the answer does not tell whether it exists"
    )


class ResetPassword(ApiModel):
    """The token of the mail, and the new password."""

    token: Annotated[str, Field(min_length=1, max_length=MAX_TOKEN_CHARS)] = Field(
        description="from the mail; it works once"
    )
    new_password: Password = Field(description="at least 10 characters")


class Accepted(BaseModel):
    """The same for every user name."""

    detail: str = "if there is such an account with a mail address, a mail is on its way"


class OwnPassword(ApiModel):
    """The caller's password, asked again before something that matters."""

    password: Password


class OtpConfirm(ApiModel):
    """A code that shows that the secret has arrived."""

    password: Password
    otp: Otp


class TokenPair(BaseModel):
    """What a login answers. `expires_in`: seconds of the access token."""

    access_token: str
    refresh_token: str
    expires_in: int
    token_type: str


class Me(BaseModel):
    """Who the caller is, and as whom it acts. `rights` null: everything its level may do."""

    admin_id: UUID = Field(description="the id of the account")
    username: str = Field(description="unique on the platform")
    name: str = Field(description="of the person")
    email: str | None = Field(description="null: none")
    timezone: str | None = Field(description="IANA name; null: left to the portal")
    level: str = Field(description="platform, brand or client: where the token stands now")
    brand_id: UUID | None = Field(description="the brand it stands at; null: the platform")
    client_id: UUID | None = Field(description="the client it stands at; null: above clients")
    restricted: bool = Field(description="true: only what rights says")
    rights: dict[str, str] | None = Field(description="letters of crud by resource; null: everything")
    can_impersonate: bool = Field(description="may act for what is below it")
    impersonator_id: UUID | None = Field(description="who acts for somebody else; null: nobody does")
    otp_enabled: bool = Field(description="has a second factor in force")


class OtpEnrolment(BaseModel):
    """Shown once: scan `uri`, keep the recovery codes on paper, then confirm with a code."""

    secret: str
    uri: str
    recovery_codes: list[str]


class KeySet(BaseModel):
    """A JWK set (RFC 7517)."""

    keys: list[dict[str, str]]


def _accounts(request: Request) -> Accounts:
    accounts: Accounts = request.app.state.accounts
    return accounts


def _origin(request: Request) -> Origin:
    agent = "".join(c for c in request.headers.get("user-agent", "") if c.isprintable())[:200]
    request_id = str(getattr(request.state, "request_id", ""))
    address = request.client.host if request.client else None
    return Origin(address, agent or None, request_id, reason_of(request))


def _pair(tokens: Tokens) -> dict[str, Any]:
    return asdict(tokens)


@router.post("/login", name="log in", response_model=TokenPair, responses=responses(401, 422, 429))
async def login(body: Login, request: Request) -> dict[str, Any]:
    """Open a session."""
    check_texts(await request.json())
    logins = _accounts(request).logins
    return _pair(await logins.login(body.username, body.password, body.otp, _origin(request)))


@router.post("/refresh", name="renew tokens", response_model=TokenPair, responses=responses(401, 422))
async def refresh(body: Refresh, request: Request) -> dict[str, Any]:
    """Exchange a refresh token for the next pair. Sent twice, it ends the session: somebody copied it."""
    return _pair(await _accounts(request).logins.refresh(body.refresh_token))


@router.post(
    "/logout", name="log out", status_code=204, response_class=Response, responses=responses(401, 403)
)
async def logout(request: Request, caller: Caller) -> Response:
    """End this session everywhere, and the impersonations opened from it."""
    await _accounts(request).logins.logout(actor_of(request, caller))
    return Response(status_code=204)


@router.post(
    "/impersonate",
    name="act as a brand or client",
    response_model=TokenPair,
    responses=responses(401, 403, 404, 422),
    openapi_extra=takes("X-Reason"),
)
async def impersonate(body: Impersonate, request: Request, caller: Caller) -> dict[str, Any]:
    """A second session, acting as a brand or client below the caller; the audit log names both."""
    logins = _accounts(request).logins
    return _pair(await logins.impersonate(caller, _origin(request), body.brand_id, body.client_id))


@router.get("/me", name="who am I", response_model=Me, responses=responses(401, 403))
async def me(request: Request, caller: Caller) -> dict[str, Any]:
    """The caller's account, and as whom this token acts."""
    return await _accounts(request).own.me(caller)


@router.post(
    "/password",
    name="change my password",
    status_code=204,
    response_class=Response,
    responses=responses(401, 403, 409, 422, 429),
)
async def password(body: NewPassword, request: Request, caller: Caller) -> Response:
    """Change the caller's own password; its other sessions end."""
    actor, origin = actor_of(request, caller), _origin(request)
    await _accounts(request).own.change_password(actor, origin, body.current_password, body.new_password)
    return Response(status_code=204)


@router.post(
    "/password-reset",
    name="forgot my password",
    status_code=202,
    response_model=Accepted,
    responses=responses(422, 429),
)
async def forgot_password(body: ForgottenPassword, request: Request) -> Accepted:
    """Have a token mailed that sets a new password, once and within half an hour."""
    check_texts(await request.json())
    await _accounts(request).resets.request(body.username, _origin(request))
    return Accepted()


@router.post(
    "/password-reset/confirm",
    name="reset my password",
    status_code=204,
    response_class=Response,
    responses=responses(422),
)
async def reset_password(body: ResetPassword, request: Request) -> Response:
    """Set a new password with the token of the mail; all sessions end, a second factor stays."""
    await _accounts(request).resets.confirm(body.token, body.new_password, _origin(request))
    return Response(status_code=204)


@router.post(
    "/otp",
    name="begin a second factor",
    response_model=OtpEnrolment,
    responses=responses(401, 403, 409, 422, 429),
)
async def begin_otp(body: OwnPassword, request: Request, caller: Caller) -> dict[str, Any]:
    """A secret for an authenticator app and recovery codes; in force once confirmed."""
    return await _accounts(request).own.begin_otp(caller, _origin(request), body.password)


@router.post(
    "/otp/confirm",
    name="confirm a second factor",
    status_code=204,
    response_class=Response,
    responses=responses(401, 403, 422, 429),
)
async def confirm_otp(body: OtpConfirm, request: Request, caller: Caller) -> Response:
    """Put the second factor in force: from now on a login needs a code."""
    await _accounts(request).own.confirm_otp(
        actor_of(request, caller), _origin(request), body.password, body.otp
    )
    return Response(status_code=204)


@router.post(
    "/otp/disable",
    name="remove the second factor",
    status_code=204,
    response_class=Response,
    responses=responses(401, 403, 422, 429),
)
async def disable_otp(body: OtpConfirm, request: Request, caller: Caller) -> Response:
    """Remove the second factor, by password and a code (or a recovery code)."""
    await _accounts(request).own.disable_otp(
        actor_of(request, caller), _origin(request), body.password, body.otp
    )
    return Response(status_code=204)


@router.get("/jwks", name="signing keys", response_model=KeySet)
async def jwks(request: Request) -> dict[str, Any]:
    """The public keys of access tokens, for others who verify them."""
    return dict(await _accounts(request).keys.jwks())
