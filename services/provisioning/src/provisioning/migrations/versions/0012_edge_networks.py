"""From where an edge's key may be used."""

from __future__ import annotations

from landline.chassis.migrations import run_sql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Empty: from anywhere, as before."""
    run_sql(["alter table edges add column networks text[] not null default '{}'"])


def downgrade() -> None:
    """Releases only go forward."""
