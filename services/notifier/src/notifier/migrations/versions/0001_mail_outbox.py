"""Copies of brands and clients, templates, facts, and the outbox of mails (docs/decisions/0010).

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from landline.chassis.migrations import create_chassis_tables, run_sql
from landline.chassis.postgres import tenant_policy

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BRANDS = """
create table brands (
    id uuid primary key, version bigint not null, deleted boolean not null, name text not null,
    language text, country text, template_ids jsonb not null)
"""
CLIENTS = """
create table clients (
    id uuid primary key, brand_id uuid not null, version bigint not null, deleted boolean not null,
    name text not null, language text, country text, timezone text, currency text,
    daily_usage_emails text[] not null, template_ids jsonb not null)
"""
TEMPLATES = """
create table notification_templates (
    id uuid primary key, brand_id uuid not null, client_id uuid,
    kind text not null, name text not null, is_default boolean not null default false,
    contents jsonb not null, version bigint not null default 1,
    created_at timestamptz not null, updated_at timestamptz not null,
    check (not (is_default and client_id is not null)))
"""
# A fact is what happened; it is noted once, and told once its client is known.
FACTS = """
create table facts (
    fact_key text primary key, kind text not null, brand_id uuid not null, client_id uuid not null,
    payload jsonb not null, state text not null check (state in ('waiting', 'told')),
    noted_at timestamptz not null, told_at timestamptz,
    look_at timestamptz not null, tries integer not null default 0, trouble text)
"""
NOTIFICATIONS = """
create table notifications (
    id uuid primary key, brand_id uuid not null, client_id uuid not null,
    kind text not null, fact_key text not null, address text not null, language text not null,
    from_name text not null, subject text not null, text text not null, html text not null,
    message_id text not null unique,
    state text not null check (state in ('pending', 'sending', 'sent', 'uncertain', 'failed')),
    attempts integer not null default 0, uncertain_count integer not null default 0,
    next_attempt_at timestamptz, first_attempt_at timestamptz, sent_at timestamptz,
    claim uuid, claimed_until timestamptz, handed_over_at timestamptz,
    error text, log jsonb not null default '[]', resend_of uuid references notifications (id),
    version bigint not null default 1, created_at timestamptz not null, updated_at timestamptz not null,
    check ((state = 'sending') = (claimed_until is not null)),
    check (state <> 'pending' or next_attempt_at is not null),
    check (state not in ('sent', 'failed') or next_attempt_at is null))
"""
INDEXES = [
    "create index clients_brand on clients (brand_id)",
    "create unique index templates_name on notification_templates"
    " (brand_id, coalesce(client_id, brand_id), kind, name)",
    "create unique index templates_brand_default on notification_templates (brand_id, kind) where is_default",
    "create unique index templates_client on notification_templates (client_id, kind)"
    " where client_id is not null",
    "create index templates_list on notification_templates (brand_id, created_at, id)",
    "create index facts_waiting on facts (look_at) where state = 'waiting'",
    # The promise itself: one mail per fact and mailbox, whoever runs beside whom.
    "create unique index notifications_once on notifications (fact_key, lower(address))",
    "create index notifications_due on notifications (next_attempt_at, id) where next_attempt_at is not null",
    "create index notifications_claimed on notifications (claimed_until) where state = 'sending'",
    "create index notifications_brand on notifications (brand_id, created_at, id)",
    "create index notifications_client on notifications (client_id, created_at, id)",
    "create index notifications_created on notifications (created_at, id)",
    "create index notifications_resends on notifications (resend_of) where resend_of is not null",
]


def upgrade() -> None:
    """Create everything; row-level security on every table that has a tenant."""
    create_chassis_tables("notifier")
    run_sql([BRANDS, CLIENTS, TEMPLATES, FACTS, NOTIFICATIONS, *INDEXES])
    run_sql(tenant_policy("brands", "id", client_reads_brand=True))
    run_sql(tenant_policy("clients", client_column="id"))
    run_sql(tenant_policy("notification_templates", client_column="client_id"))
    run_sql(tenant_policy("facts", client_column="client_id"))
    run_sql(tenant_policy("notifications", client_column="client_id"))
