"""Accounts: admins, their sessions and refresh tokens, signing keys, and what throttles guessing.

An admin sees only admins below its level, so the policy of `admins` lets a brand see those of its clients,
and a client none. Sessions carry the place of their admin (brand_id, client_id) for the same policy, and
the place they act for (acting_*), which differs when an operator impersonates.
"""

from __future__ import annotations

from landline.chassis.migrations import run_sql

revision = "0002"
down_revision = "0001"

_LEVEL = "(select current_setting('landline.level', true))"
_BRAND = "(select nullif(current_setting('landline.brand_id', true), '')::uuid)"
_BELOW = (
    f"{_LEVEL} in ('platform', 'system')"
    f" or ({_LEVEL} = 'brand' and brand_id = {_BRAND} and client_id is not null)"
)


def upgrade() -> None:
    """Create the tables."""
    run_sql(
        [
            "create table admins (id uuid primary key, version int not null,"
            " created_at timestamptz not null, updated_at timestamptz not null,"
            " brand_id uuid references brands, client_id uuid references clients,"
            " username text not null check (length(username) between 1 and 65), name text not null,"
            " email text, timezone text, active boolean not null, restricted boolean not null,"
            " can_impersonate boolean not null, rights jsonb not null, password_hash text,"
            " otp_secret text, otp_enabled boolean not null default false,"
            " otp_last_step bigint not null default 0, recovery_codes jsonb not null default '[]',"
            " check (client_id is null or brand_id is not null),"
            " check (password_hash is not null or not active))",
            "create unique index admins_username on admins (lower(username))",
            "create index admins_brand on admins (brand_id, created_at, id)",
            "create index admins_client on admins (client_id) where client_id is not null",
            "create table sessions (id uuid primary key,"
            " admin_id uuid not null references admins on delete cascade, brand_id uuid,"
            " client_id uuid, root_id uuid not null,"
            " level text not null check (level in ('platform', 'brand', 'client')),"
            " acting_brand_id uuid, acting_client_id uuid, impersonating boolean not null,"
            " created_at timestamptz not null, expires_at timestamptz not null, refreshed_at timestamptz,"
            " revoked_at timestamptz, revoked_because text, address text, user_agent text)",
            "create index sessions_admin on sessions (admin_id) where revoked_at is null",
            "create index sessions_root on sessions (root_id) where revoked_at is null",
            "create index sessions_expires on sessions (expires_at)",
            "create table refresh_tokens (sha256 bytea primary key,"
            " session_id uuid not null references sessions on delete cascade, used_at timestamptz)",
            "create index refresh_tokens_session on refresh_tokens (session_id)",
            "create table signing_keys (kid text primary key, private_sealed text not null,"
            " public_base64 text not null, created_at timestamptz not null, retired_at timestamptz)",
            "create table login_throttle (subject bytea primary key, failures int not null,"
            " last_at timestamptz not null, blocked_until timestamptz not null)",
            *(statement for table in ("admins", "sessions") for statement in _policy(table, _BELOW)),
            *(
                statement
                for table in ("refresh_tokens", "signing_keys", "login_throttle")
                for statement in _policy(table, f"{_LEVEL} = 'system'")
            ),
        ]
    )


def _policy(table: str, rows: str) -> list[str]:
    return [
        f"alter table {table} enable row level security",
        f"alter table {table} force row level security",
        f"create policy below on {table} using ({rows}) with check ({rows})",
    ]
