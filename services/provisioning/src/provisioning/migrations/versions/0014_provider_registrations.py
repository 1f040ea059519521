"""Registrations at DDI providers."""

from __future__ import annotations

from landline.chassis.migrations import run_sql
from landline.chassis.postgres import tenant_policy

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """One table."""
    run_sql(
        [
            """create table ddi_provider_registrations (
                id uuid primary key, version integer not null, created_at timestamptz not null,
                updated_at timestamptz not null, brand_id uuid not null references brands,
                ddi_provider_id uuid not null references ddi_providers, enabled boolean not null,
                username text not null, domain text not null, realm text, auth_username text,
                auth_ha1 text, auth_proxy text, expires_s integer not null, contact_username text,
                constraint ddi_provider_registrations_username_domain_key unique (username, domain))""",
            """create index ddi_provider_registrations_page
                on ddi_provider_registrations (brand_id, created_at, id)""",
            """create index ddi_provider_registrations_provider
                on ddi_provider_registrations (ddi_provider_id)""",
        ]
    )
    run_sql(tenant_policy("ddi_provider_registrations"))


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
