"""Match lists, call filters, call forwards; where a DDI may lead besides a device; spoofed callers."""

from __future__ import annotations

from landline.chassis.migrations import run_sql
from landline.chassis.postgres import tenant_policy

revision = "0004"
down_revision = "0003"

_ROW = (
    "id uuid primary key, version integer not null, created_at timestamptz not null,"
    " updated_at timestamptz not null, brand_id uuid not null references brands"
)
_CLIENT = "client_id uuid not null references clients"
_NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"

_TABLES = [
    f"""create table match_lists ({_ROW}, client_id uuid references clients, name text not null,
        description text not null)""",
    f"""create unique index match_lists_owner_name_key
        on match_lists (brand_id, coalesce(client_id, {_NOBODY}), name)""",
    "create index match_lists_client on match_lists (client_id, created_at, id)",
    f"""create table match_list_entries ({_ROW}, client_id uuid references clients,
        match_list_id uuid not null references match_lists,
        kind text not null check (kind in ('number', 'regex')), number text, regex text,
        description text not null, check ((kind = 'number') = (number is not null)),
        check ((kind = 'regex') = (regex is not null)))""",
    """create unique index match_list_entries_list_value_key
        on match_list_entries (match_list_id, coalesce(number, regex))""",
    "create index match_list_entries_page on match_list_entries (brand_id, created_at, id)",
    f"""create table call_filters ({_ROW}, {_CLIENT}, name text not null, description text not null,
        block_list_ids uuid[] not null, allow_list_ids uuid[] not null, allow_only boolean not null,
        reject_anonymous boolean not null, schedule jsonb not null, closed_on date[] not null, timezone text,
        out_of_schedule text not null check (out_of_schedule in ('reject', 'forward')),
        unconditional_forward boolean not null, forward_target text, forward_number text,
        forward_device_id uuid references devices,
        constraint call_filters_client_id_name_key unique (client_id, name))""",
    "create index call_filters_page on call_filters (brand_id, created_at, id)",
    """create index call_filters_device on call_filters (forward_device_id)
        where forward_device_id is not null""",
    f"""create table call_forwards ({_ROW}, {_CLIENT}, device_id uuid not null references devices,
        kind text not null check (kind in ('unconditional', 'busy', 'no_answer', 'not_registered')),
        enabled boolean not null, target text check (target in ('number', 'voicemail')), number text,
        voicemail_device_id uuid references devices, no_answer_timeout_s smallint)""",
    """create unique index call_forwards_device_kind_key on call_forwards (device_id, kind)
        where enabled""",
    "create index call_forwards_device on call_forwards (device_id)",
    "create index call_forwards_page on call_forwards (brand_id, created_at, id)",
    "alter table ddis add column call_filter_id uuid references call_filters",
    "create index ddis_call_filter on ddis (call_filter_id) where call_filter_id is not null",
    "alter table ddis add column fax_id uuid",
    """alter table ddis add constraint ddis_target_check
        check (target in ('none', 'device', 'fax', 'voicemail'))""",
    "alter table brands add column reject_spoofed boolean not null default false",
]


def upgrade() -> None:
    """Create the tables and the columns that lead to them."""
    run_sql(_TABLES)
    for table in ("match_lists", "match_list_entries"):
        run_sql(tenant_policy(table, client_column="client_id", client_reads_unowned=True))
    for table in ("call_filters", "call_forwards"):
        run_sql(tenant_policy(table, client_column="client_id"))


def downgrade() -> None:
    """Never: what people configured is not thrown away."""
    raise NotImplementedError
