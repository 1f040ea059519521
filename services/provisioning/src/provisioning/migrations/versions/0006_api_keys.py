"""API keys of integrators; tokens of people who forgot their password."""

from __future__ import annotations

from landline.chassis.migrations import run_sql
from landline.chassis.postgres import tenant_policy

revision = "0006"
down_revision = "0005"

_NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"
_SYSTEM = "(select current_setting('landline.level', true)) = 'system'"


def upgrade() -> None:
    """Create the tables."""
    run_sql(
        [
            "create table api_keys (id uuid primary key, version integer not null,"
            " created_at timestamptz not null, updated_at timestamptz not null,"
            " brand_id uuid references brands, client_id uuid references clients, name text not null,"
            " description text not null, active boolean not null, expires_at timestamptz,"
            " restricted boolean not null, rights jsonb not null, created_by text not null,"
            " key_prefix text not null constraint api_keys_prefix unique, key_sha256 text not null,"
            " check (client_id is null or brand_id is not null))",
            f"create unique index api_keys_owner_name"
            f" on api_keys (coalesce(client_id, brand_id, {_NOBODY}), name)",
            "create index api_keys_page on api_keys (brand_id, created_at, id)",
            "create index api_keys_client on api_keys (client_id, created_at, id)",
            "create index api_keys_updated on api_keys (updated_at)",
            *tenant_policy("api_keys", client_column="client_id"),
            "create table password_resets (sha256 bytea primary key,"
            " admin_id uuid not null references admins on delete cascade,"
            " created_at timestamptz not null default now(), expires_at timestamptz not null)",
            "create index password_resets_admin on password_resets (admin_id)",
            "create index password_resets_expires on password_resets (expires_at)",
            "alter table password_resets enable row level security",
            "alter table password_resets force row level security",
            f"create policy system on password_resets using ({_SYSTEM}) with check ({_SYSTEM})",
        ]
    )


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
