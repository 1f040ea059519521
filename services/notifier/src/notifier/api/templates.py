"""Notification templates: kept when they render with their kind's sample data; shown by `preview`."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from landline.chassis.auth import Caller, Principal
from landline.chassis.idempotency import READ_HEADERS, Answer, once_reading
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import FieldError, InvalidInput, NotFound, responses
from landline.chassis.resources import (
    ApiModel,
    Change,
    Reference,
    Registry,
    Resource,
    Rights,
    Row,
    allowed,
    check_texts,
    resource_router,
)
from landline.chassis.resources.field_types import Name
from pydantic import AfterValidator, ConfigDict, Field
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters.builtin import builtin_contents
from notifier.adapters.tables import BRANDS, CLIENTS, TEMPLATES
from notifier.app.preview import preview
from notifier.domain.contents import Contents
from notifier.domain.kinds import KINDS
from notifier.domain.kinds import kind as kind_of
from notifier.domain.levels import StoredTemplate, levels
from notifier.domain.people import Brand, Client
from notifier.domain.render import DoesNotRender, validate


def _known_kind(value: str) -> str:
    if value not in KINDS:
        raise ValueError(f"known kinds: {', '.join(KINDS)}")
    return value


KindName = Annotated[str, Field(max_length=40), AfterValidator(_known_kind)]
LanguageTag = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}$", max_length=35)]


class Words(ApiModel):
    """The templates of one language; a field that is left out comes from the next level."""

    model_config = ConfigDict(extra="forbid", str_max_length=200_000)

    subject: str | None = Field(None, description="null: the next level's")
    text: str | None = Field(None, description="plain text body; null: the next level's")
    html: str | None = Field(None, description="HTML body; null: the next level's")


AllWords = Annotated[
    dict[LanguageTag, Words], Field(max_length=40, examples=[{"es": {"subject": "{{ limit }}"}}])
]


class TemplateFields(ApiModel):
    """A template of a brand, or of one client. The brand's `is_default` one is used for all its clients."""

    kind: KindName = Field(description="which mails it words")
    name: Name = Field(description="what people call it")
    client_id: UUID | None = Field(None, description="null: the brand's")
    is_default: bool = Field(False, description="of a brand's: used for all its clients that choose none")
    contents: AllWords = Field(description="words by language; what is left out comes from the next level")


async def _check_contents(change: Change) -> None:
    """Every field must render with the kind's sample data; all complaints are answered at once."""
    if change.action == "d":
        return
    change.new["contents"], errors = checked(change.new["kind"], change.new["contents"])
    change.errors.extend(errors)
    if change.new["is_default"] and change.new.get("client_id"):
        change.refuse("is_default", "client_template", "a client's template is nobody's default")


def checked(kind: str, given: dict[str, dict[str, str | None]]) -> tuple[Contents, list[FieldError]]:
    """Contents by lower-case language without empty fields, and what is wrong with them."""
    contents: dict[str, dict[str, str]] = {}
    errors: list[FieldError] = []
    for language, words in given.items():
        tag = language.lower().replace("_", "-")
        if tag in contents:
            errors.append(FieldError(f"contents.{language}", "duplicate", "this language is there twice"))
        contents[tag] = {field: source for field, source in words.items() if source}
        for field, source in contents[tag].items():
            errors += [
                FieldError(f"contents.{language}.{c.field}", "does_not_render", f"line {c.line}: {c.message}")
                for c in validate(field, source, kind_of(kind))
            ]
    return contents, errors


RESOURCE = Resource(
    name="notification-templates",
    entity="notification_template",
    table=TEMPLATES,
    fields=TemplateFields,
    tenancy="brand",
    client_column="client_id",
    rights=Rights(client="r"),
    create_only=frozenset({"kind", "client_id"}),
    filters=("kind", "name", "is_default"),
    sorts=("name", "kind"),
    references={"brand_id": Reference(BRANDS, "brand"), "client_id": Reference(CLIENTS, "client")},
    unique={
        "templates_name": "name",
        "templates_brand_default": "is_default",
        "templates_client": "client_id",
    },
    rules=(_check_contents,),
    about="Words of mails by language; what a template leaves out comes from the brand's, then ours.",
)
REGISTRY = Registry("notifier", (RESOURCE,))
router = APIRouter()


class PreviewRequest(ApiModel):
    """`contents` goes before the client's, the brand's and the built-in words."""

    kind: KindName
    language: LanguageTag = "en"
    contents: AllWords = {}
    client_id: UUID | None = None
    brand_id: UUID | None = None


class PreviewSource(ApiModel):
    """Where a field was found."""

    source: str
    language: str


class PreviewAnswer(ApiModel):
    """A mail with sample data in it."""

    model_config = ConfigDict(str_max_length=None)

    subject: str
    text: str
    html: str
    sources: dict[str, PreviewSource]
    warnings: list[str]


@router.post(
    "/notification-templates/preview",
    summary="Preview a template",
    tags=["notification-templates"],
    response_model=PreviewAnswer,
    responses=responses(401, 403, 404, 409, 422),
    openapi_extra=READ_HEADERS,
)
async def show_preview(
    body: PreviewRequest, request: Request, caller: Annotated[Principal, allowed(RESOURCE, "r")]
) -> Response:
    """How a mail would look; nothing is kept. 422 names field and line of what does not render."""
    check_texts(await request.json())

    async def effect() -> Answer:
        return Answer(200, await _previewed(request.app.state.db, caller, body))

    return await once_reading(request, caller, effect)


async def _previewed(db: Database, caller: Principal, body: PreviewRequest) -> Row:
    contents, errors = checked(body.kind, {tag: words.model_dump() for tag, words in body.contents.items()})
    if errors:
        raise InvalidInput(errors)
    async with db.transaction(Scope.of(caller)) as tx:
        stored = await _stored_levels(tx, body, caller.brand_id, caller.client_id)
    try:
        return preview(
            body.kind, body.language, [("preview", contents), *stored], builtin_contents(body.kind)
        )
    except DoesNotRender as error:
        raise InvalidInput(
            [FieldError(f"contents.{error.complaint.field}", "does_not_render", str(error))]
        ) from error


async def _stored_levels(
    tx: AsyncConnection, body: PreviewRequest, brand_id: str | None, client_id: str | None
) -> list[tuple[str, Contents]]:
    """The words that the client or brand asked for, or the caller's own, would get."""
    client = await _client(tx, body.client_id or client_id)
    if client and body.brand_id and str(body.brand_id) != client.brand_id:
        raise NotFound("no such brand")
    brand_id = client.brand_id if client else str(body.brand_id or brand_id or "") or None
    if brand_id is None:
        return []
    row = (await tx.execute(select(BRANDS).where(BRANDS.c.id == UUID(brand_id)))).mappings().first()
    if row is None:
        raise NotFound("no such brand")
    brand = Brand(brand_id, row["name"], row["language"] or "en", row["country"], row["template_ids"])
    mine = or_(
        TEMPLATES.c.client_id.is_(None), TEMPLATES.c.client_id == (UUID(client.id) if client else None)
    )
    found = await tx.execute(
        select(TEMPLATES).where(TEMPLATES.c.brand_id == UUID(brand_id), TEMPLATES.c.kind == body.kind, mine)
    )
    stored = [
        StoredTemplate(
            str(r["id"]), str(r["client_id"]) if r["client_id"] else None, r["is_default"], r["contents"]
        )
        for r in found.mappings()
    ]
    return [(level.source, level.contents) for level in levels(stored, body.kind, client, brand, {})[:-1]]


async def _client(tx: AsyncConnection, client_id: UUID | str | None) -> Client | None:
    if client_id is None:
        return None
    row = (await tx.execute(select(CLIENTS).where(CLIENTS.c.id == UUID(str(client_id))))).mappings().first()
    if row is None:
        raise NotFound("no such client")
    return Client(
        str(row["id"]),
        str(row["brand_id"]),
        row["name"],
        row["language"],
        row["country"],
        (),
        row["template_ids"],
    )


@router.get(
    "/notification-kinds",
    summary="List notification kinds",
    tags=["notification-templates"],
    responses=responses(401),
)
async def kinds(_caller: Caller) -> list[dict[str, Any]]:
    """Every kind of notification, the variables its templates may use, and its built-in words."""
    return [
        {
            "kind": kind.name,
            "about": kind.about,
            "variables": [vars(variable) for variable in kind.variables],
            "built_in": builtin_contents(kind.name),
        }
        for kind in KINDS.values()
    ]


router.include_router(resource_router(REGISTRY, RESOURCE))
