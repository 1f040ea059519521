"""What an apply did, or would do, as its answer says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from landline.chassis.resources import ApiModel, Row
from pydantic import BaseModel, Field

from provisioning.documents.shape import Section
from provisioning.documents.steps import Done, Step, Write

Action = Literal["create", "update", "delete"]


class FieldChange(BaseModel):
    """One field, as the document writes it."""

    before: Any = None
    after: Any = None


class RowChange(BaseModel):
    """One row. `path` is empty for a row that the document lacks."""

    resource: str
    action: Action
    key: dict[str, Any] = Field(description="the fields that name it among its siblings")
    path: str = Field(description="where the document says it, as `clients[3]`")
    id: UUID | None = Field(None, description="null for one that a dry run would create")
    changes: dict[str, FieldChange]


class Revealed(BaseModel):
    """A secret made by the apply: shown here and never again."""

    resource: str
    key: dict[str, Any]
    id: UUID
    secrets: dict[str, Any]


class Warned(BaseModel):
    """What is allowed and probably not meant, as the single write of that row would say it."""

    path: str
    resource: str
    code: str
    field: str
    message: str


class ApplyAnswer(ApiModel):
    """What was done; with dry_run, what would be."""

    dry_run: bool
    brand_id: UUID
    created: int
    updated: int
    deleted: int
    unchanged: int
    changes: list[RowChange]
    warnings: list[Warned] = []
    revealed: list[Revealed] = []


@dataclass
class Applied:
    """The steps' outcomes, one entry per row: a row made first and completed later was made once."""

    rows: dict[UUID, Done] = field(default_factory=dict)
    unchanged: int = 0

    def add(self, step: Step, done: Done | None) -> None:
        """One step that succeeded; None: there was nothing to do."""
        if done is None:
            self.unchanged += isinstance(step, Write)
        elif done.row_id in self.rows:
            self.rows[done.row_id] = _merged(self.rows[done.row_id], done)
        else:
            self.unchanged -= not isinstance(step, Write) and done.action == "update"
            self.rows[done.row_id] = done

    def answer(self, brand_id: UUID, *, dry_run: bool) -> Row:
        """As JSON."""
        counts = {a: sum(d.action == a for d in self.rows.values()) for a in ("create", "update", "delete")}
        answer = ApplyAnswer(
            dry_run=dry_run,
            brand_id=brand_id,
            created=counts["create"],
            updated=counts["update"],
            deleted=counts["delete"],
            unchanged=self.unchanged,
            changes=[_row_change(d, dry_run) for d in self.rows.values()],
            warnings=[warned for d in self.rows.values() for warned in _warned(d)],
            revealed=[] if dry_run else [_revealed(d) for d in self.rows.values() if _secrets(d)],
        )
        return answer.model_dump(mode="json")


def _merged(first: Done, second: Done) -> Done:
    changes = dict(first.changes)
    for name, change in second.changes.items():
        before = changes[name]["before"] if name in changes else change["before"]
        changes[name] = {"before": before, "after": change["after"]}
    warnings = [*first.reveal.get("warnings", ()), *second.reveal.get("warnings", ())]
    reveal = {**first.reveal, **second.reveal, "warnings": warnings}
    return Done(first.action, first.section, first.path, first.row_id, second.key, changes, reveal)


def _resource(section: Section) -> str:
    return section.resource.name


def _row_change(done: Done, dry_run: bool) -> RowChange:
    return RowChange(
        resource=_resource(done.section),
        action=done.action,
        key=done.key,
        path="" if done.action == "delete" else done.path,
        id=None if dry_run and done.action == "create" else done.row_id,
        changes={name: FieldChange(**change) for name, change in done.changes.items()},
    )


def _revealed(done: Done) -> Revealed:
    return Revealed(resource=_resource(done.section), key=done.key, id=done.row_id, secrets=_secrets(done))


def _warned(done: Done) -> list[Warned]:
    """The warnings of a row's writes."""
    told = done.reveal.get("warnings", ())
    place = {"path": done.path, "resource": _resource(done.section)}
    return [Warned(**place, **{name: each[name] for name in ("code", "field", "message")}) for each in told]


def _secrets(done: Done) -> dict[str, Any]:
    """What is told once; warnings of a write are no secret."""
    return {name: value for name, value in done.reveal.items() if name != "warnings"}
