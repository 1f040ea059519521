"""A Contact's user tells which account was called: no two may share one."""

from __future__ import annotations

from landline.chassis.migrations import run_sql

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """One index."""
    run_sql(
        [
            """create unique index ddi_provider_registrations_contact_username_key
                on ddi_provider_registrations (contact_username) where contact_username is not null"""
        ]
    )


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
