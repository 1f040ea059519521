"""DDI providers and their addresses; which provider a DDI comes by; a brand's caller of last resort."""

from __future__ import annotations

from landline.chassis.migrations import run_sql
from landline.chassis.postgres import tenant_policy

revision = "0003"
down_revision = "0002"

_ROW = (
    "id uuid primary key, version integer not null, created_at timestamptz not null,"
    " updated_at timestamptz not null, brand_id uuid not null references brands"
)


def upgrade() -> None:
    """Create the tables and the columns that name them."""
    run_sql(
        [
            f"""create table ddi_providers ({_ROW}, name text not null, description text not null,
                enabled boolean not null, transformation_set_id uuid references transformation_sets,
                constraint ddi_providers_brand_id_name_key unique (brand_id, name))""",
            f"""create table ddi_provider_addresses ({_ROW},
                ddi_provider_id uuid not null references ddi_providers, network text not null,
                trusted boolean not null, description text not null,
                constraint ddi_provider_addresses_network_key unique (ddi_provider_id, network))""",
            "create index ddi_provider_addresses_page on ddi_provider_addresses (brand_id, created_at, id)",
            "alter table ddis add column ddi_provider_id uuid references ddi_providers",
            "create index ddis_provider on ddis (ddi_provider_id) where ddi_provider_id is not null",
            "alter table brands add column emergency_caller text",
        ]
    )
    for table in ("ddi_providers", "ddi_provider_addresses"):
        run_sql(tenant_policy(table))


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
