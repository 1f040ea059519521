"""Mails about accounts: of the platform's admins (no brand) and of a brand's (no client)."""

from __future__ import annotations

from landline.chassis.migrations import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Brand and client may be missing: such rows are shown to the platform, or to the brand."""
    run_sql(
        [
            "alter table notifications alter column brand_id drop not null",
            "alter table notifications alter column client_id drop not null",
        ]
    )


def downgrade() -> None:
    """Never: mails are kept."""
    raise NotImplementedError
