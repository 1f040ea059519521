"""The tables of provisioning's resources, each under row-level security.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from landline.chassis.migrations import create_chassis_tables, run_sql
from landline.chassis.postgres import scoped_policy, tenant_policy

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW = (
    "id uuid primary key, version integer not null, created_at timestamptz not null,"
    " updated_at timestamptz not null"
)
_BRAND = "brand_id uuid not null references brands"
_SHARED = "brand_id uuid references brands"
_CLIENT = f"{_BRAND}, client_id uuid not null references clients"
_NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"

TABLES = [
    f"""create table brands ({_ROW},
        name text not null constraint brands_name_key unique,
        sip_domain text not null constraint brands_sip_domain_key unique
            check (sip_domain = lower(sip_domain)),
        enabled boolean not null, features text[] not null, max_calls integer not null, max_call_s integer,
        language text not null, country text not null, timezone text not null, currency text not null,
        invoice_data jsonb not null, recordings_quota_mb integer,
        partition smallint not null check (partition between 0 and 63))""",
    f"""create table transformation_sets ({_ROW}, {_SHARED},
        name text not null, description text not null, country text)""",
    f"create unique index transformation_sets_brand_id_name_key"
    f" on transformation_sets (coalesce(brand_id, {_NOBODY}), name)",
    f"""create table transformation_rules ({_ROW}, {_SHARED},
        transformation_set_id uuid not null references transformation_sets,
        direction text not null check (direction in ('caller_in', 'callee_in', 'caller_out', 'callee_out')),
        priority smallint not null, match text not null, replace text not null, description text not null)""",
    "create index transformation_rules_set"
    " on transformation_rules (transformation_set_id, direction, priority)",
    f"""create table clients ({_ROW}, {_BRAND},
        name text not null, enabled boolean not null,
        billing_method text not null
            check (billing_method in ('postpaid', 'prepaid', 'pseudoprepaid', 'none')),
        features text[] not null, language text not null, country text not null, timezone text not null,
        currency text not null, transformation_set_id uuid references transformation_sets,
        max_calls integer not null check (max_calls >= 0), max_call_s integer,
        ip_filter boolean not null, geoip_countries text[] not null,
        max_daily_usage_micros bigint check (max_daily_usage_micros >= 0),
        daily_usage_alerts smallint[] not null, daily_usage_emails text[] not null,
        client_spend_cap_micros bigint check (client_spend_cap_micros >= 0),
        credit_limit_micros bigint check (credit_limit_micros >= 0),
        invoice_data jsonb not null, show_billing_details boolean not null, outgoing_ddi_id uuid,
        withhold_number boolean not null, allow_recording_removal boolean not null,
        outage_policy text not null, distribution text not null, media_relay_set text not null,
        application_server text not null, constraint clients_brand_id_name_key unique (brand_id, name))""",
    "create index clients_page on clients (brand_id, created_at, id)",
    f"""create table devices ({_ROW}, {_CLIENT},
        name text not null, description text not null, enabled boolean not null,
        direct_connectivity boolean not null, transport text, ip text, port integer, ruri_domain text,
        trust_sdp boolean not null, outgoing_ddi_id uuid, language text,
        transformation_set_id uuid references transformation_sets, codecs text[] not null, from_domain text,
        ddi_in boolean not null, max_calls smallint not null check (max_calls between 0 and 100),
        t38_passthrough boolean not null, rtp_encryption boolean not null, multi_contact boolean not null,
        ha1 text, ha1_sha256 text, constraint devices_brand_id_name_key unique (brand_id, name))""",
    "create index devices_page on devices (brand_id, created_at, id)",
    "create index devices_client on devices (client_id, created_at, id)",
    f"""create table ddis ({_ROW}, {_BRAND}, client_id uuid references clients,
        number text not null constraint ddis_number_key unique, country text not null,
        description text not null, kind text not null check (kind in ('inout', 'out')),
        state text not null check (state in ('porting_in', 'active', 'ported_out', 'quarantine')),
        target text not null, device_id uuid references devices, record text not null, display_name text,
        language text)""",
    "create index ddis_page on ddis (brand_id, created_at, id)",
    "create index ddis_number on ddis (brand_id, number)",
    "create index ddis_client on ddis (client_id, created_at, id)",
    "create index ddis_device on ddis (device_id) where device_id is not null",
    "alter table clients add constraint clients_outgoing_ddi_fkey"
    " foreign key (outgoing_ddi_id) references ddis",
    "alter table devices add constraint devices_outgoing_ddi_fkey"
    " foreign key (outgoing_ddi_id) references ddis",
    "create index clients_outgoing_ddi on clients (outgoing_ddi_id) where outgoing_ddi_id is not null",
    "create index devices_outgoing_ddi on devices (outgoing_ddi_id) where outgoing_ddi_id is not null",
    f"""create table authorized_sources ({_ROW}, {_CLIENT}, network text not null, description text not null,
        constraint authorized_sources_client_id_network_key unique (client_id, network))""",
    "create index authorized_sources_page on authorized_sources (brand_id, created_at, id)",
    f"""create table carriers ({_ROW}, {_BRAND}, name text not null, description text not null,
        enabled boolean not null, transformation_set_id uuid references transformation_sets,
        calculate_cost boolean not null, currency text not null,
        constraint carriers_brand_id_name_key unique (brand_id, name))""",
    f"""create table carrier_servers ({_ROW}, {_BRAND}, carrier_id uuid not null references carriers,
        enabled boolean not null, host text not null, port integer, uri_scheme text not null,
        transport text not null, outbound_proxy text, send_pai boolean not null, send_rpid boolean not null,
        trusted boolean not null, from_user text, from_domain text, auth_user text, auth_realm text,
        auth_ha1 text)""",
    "create index carrier_servers_page on carrier_servers (brand_id, created_at, id)",
    "create unique index carrier_servers_address_key"
    " on carrier_servers (carrier_id, host, coalesce(port, 0), transport)",
    f"""create table destination_patterns ({_ROW}, {_BRAND}, name text not null, description text not null,
        prefix text not null, constraint destination_patterns_brand_id_prefix_key unique (brand_id, prefix),
        constraint destination_patterns_brand_id_name_key unique (brand_id, name))""",
    f"""create table routes ({_ROW}, {_BRAND}, client_id uuid references clients, enabled boolean not null,
        kind text not null check (kind in ('pattern', 'fax', 'emergency')),
        mode text not null check (mode in ('static', 'lcr', 'block')),
        destination_pattern_id uuid references destination_patterns, carrier_id uuid references carriers,
        carrier_ids uuid[] not null, priority smallint not null check (priority between 0 and 254),
        weight smallint not null check (weight between 1 and 20), stopper boolean not null,
        prefix text not null, force_clid text, disable_diversion boolean not null)""",
    "create index routes_page on routes (brand_id, created_at, id)",
    *(
        statement
        for table in ("special_numbers", "emergency_numbers")
        for statement in (
            f"""create table {table} ({_ROW}, {_SHARED}, number text not null, country text,
                description text not null)""",
            f"create unique index {table}_owner_key"
            f" on {table} (coalesce(brand_id, {_NOBODY}), number, coalesce(country, ''))",
        )
    ),
    f"""create table edges ({_ROW}, name text not null constraint edges_name_key unique,
        description text not null, enabled boolean not null, control_url text,
        key_prefix text not null, key_sha256 text not null)""",
]


def upgrade() -> None:
    """All resources of the first cut."""
    create_chassis_tables("provisioning")
    run_sql(TABLES)
    run_sql(tenant_policy("brands", brand_column="id", client_reads_brand=True))
    run_sql(tenant_policy("clients", client_column="id"))
    for table in ("devices", "ddis", "authorized_sources"):
        run_sql(tenant_policy(table, client_column="client_id"))
    for table in ("carriers", "carrier_servers", "destination_patterns", "routes"):
        run_sql(tenant_policy(table))
    for table in ("transformation_sets", "transformation_rules", "special_numbers", "emergency_numbers"):
        run_sql(tenant_policy(table, client_reads_brand=True, shared=True))
    run_sql(scoped_policy("edges"))


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
