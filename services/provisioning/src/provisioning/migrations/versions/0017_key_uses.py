"""When a key was last used."""

from __future__ import annotations

from landline.chassis.migrations import run_sql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Null: not since this is known."""
    run_sql([f"alter table {table} add column last_used_at timestamptz" for table in ("api_keys", "edges")])


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
