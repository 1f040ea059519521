"""A brand's risk class of a prefix is found without reading the platform's thousand."""

from __future__ import annotations

from landline.chassis.migrations import run_sql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """By tenant first, as every list is read."""
    run_sql(["create index risk_classes_prefix on risk_classes (brand_id, prefix)"])


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
