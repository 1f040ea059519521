"""Numbers and clients are found by what their number or name contains, with an index (decision 0033)."""

from __future__ import annotations

from landline.chassis.finders import finder
from landline.chassis.migrations import run_sql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A trigram index, and a function that may use it below row-level security."""
    run_sql([*finder("provisioning", "ddis", "number"), *finder("provisioning", "clients", "name")])


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
