"""Service codes of brands; groups of destination patterns, and routes by group."""

from __future__ import annotations

from landline.chassis.migrations import run_sql
from landline.chassis.postgres import tenant_policy

revision = "0010"
down_revision = "0009"

_ROW = (
    "id uuid primary key, version integer not null, created_at timestamptz not null,"
    " updated_at timestamptz not null, brand_id uuid not null references brands"
)


def upgrade() -> None:
    """Create the tables, widen what a route may go by."""
    run_sql(
        [
            f"""create table service_codes ({_ROW}, service text not null, code text not null,
                enabled boolean not null,
                constraint service_codes_brand_id_service_key unique (brand_id, service))""",
            f"""create table destination_pattern_groups ({_ROW}, name text not null,
                description text not null, destination_pattern_ids uuid[] not null,
                constraint destination_pattern_groups_brand_id_name_key unique (brand_id, name))""",
            "alter table routes"
            " add column destination_pattern_group_id uuid references destination_pattern_groups",
            "alter table routes drop constraint routes_kind_check",
            "alter table routes add constraint routes_kind_check"
            " check (kind in ('pattern', 'group', 'fax', 'emergency'))",
        ]
    )
    run_sql(tenant_policy("service_codes", client_reads_brand=True))
    run_sql(tenant_policy("destination_pattern_groups"))


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
