"""Client setups: what billing still has to do for a client made in one call."""

from __future__ import annotations

from landline.chassis.migrations import run_sql
from landline.chassis.postgres import tenant_policy

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STATEMENTS = [
    """create table client_setups (id uuid primary key, version integer not null,
        created_at timestamptz not null, updated_at timestamptz not null,
        brand_id uuid not null references brands,
        client_id uuid not null references clients on delete cascade,
        state text not null check (state in ('pending', 'done', 'failed')), rating_plan_id uuid,
        activation_time timestamptz not null, rating_profile_id uuid,
        opening_balance_micros bigint check (opening_balance_micros > 0), operation_id text, problem text,
        attempts integer not null, next_try_at timestamptz not null)""",
    "create index client_setups_page on client_setups (brand_id, created_at, id)",
    "create index client_setups_client on client_setups (client_id)",
    "create index client_setups_pending on client_setups (next_try_at) where state = 'pending'",
]


def upgrade() -> None:
    """Create the table."""
    run_sql(STATEMENTS)
    run_sql(tenant_policy("client_setups", client_column="client_id"))


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
