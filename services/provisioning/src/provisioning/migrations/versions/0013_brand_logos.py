"""Logos of brands."""

from __future__ import annotations

from landline.chassis.migrations import run_sql
from landline.chassis.postgres import tenant_policy

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; clients see their brand's."""
    run_sql(
        [
            """create table brand_logos (brand_id uuid primary key references brands on delete cascade,
                content_type text not null check (content_type in ('image/png', 'image/jpeg')),
                sha256 text not null, body bytea not null check (length(body) <= 524288),
                updated_at timestamptz not null)"""
        ]
    )
    run_sql(tenant_policy("brand_logos", client_reads_brand=True))


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
