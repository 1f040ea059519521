"""Barrings, risk classes with the ready-made list, risk limits, and all countries' emergency numbers."""

from __future__ import annotations

from landline.chassis.migrations import run_sql
from landline.chassis.postgres import tenant_policy
from provisioning.api.numbers import EMERGENCY_NUMBERS
from provisioning.api.risk_classes import RISK_CLASSES
from provisioning.ready_made import EMERGENCY_NUMBERS as NUMBERS_LIST
from provisioning.ready_made import RISK_CLASSES as RISKS_LIST
from provisioning.ready_made import listed
from provisioning.ready_made.bring_in import bring_in

revision = "0008"
down_revision = "0007"

_ROW = (
    "id uuid primary key, version integer not null, created_at timestamptz not null,"
    " updated_at timestamptz not null"
)
_NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"
_RISKS = "<@ array['normal', 'special_rate', 'high_risk']"

STATEMENTS = [
    f"""create table barrings ({_ROW}, brand_id uuid not null references brands,
        client_id uuid not null references clients, name text not null, description text not null,
        enabled boolean not null, prefixes text[] not null, weekdays smallint[] not null, from_time text,
        to_time text, locked boolean not null,
        constraint barrings_client_id_name_key unique (client_id, name))""",
    "create index barrings_page on barrings (brand_id, created_at, id)",
    f"""create table risk_classes ({_ROW}, brand_id uuid references brands, prefix text not null,
        risk text not null check (risk in ('normal', 'special_rate', 'high_risk')), country text,
        description text not null, source text not null)""",
    f"create unique index risk_classes_owner_key on risk_classes (coalesce(brand_id, {_NOBODY}), prefix)",
    "create index risk_classes_page on risk_classes (brand_id, created_at, id)",
    f"""alter table brands
        add column allowed_risk_classes text[] not null default '{{normal,special_rate}}'
            check (allowed_risk_classes {_RISKS}),
        add column price_cap_per_minute_micros bigint check (price_cap_per_minute_micros >= 0),
        add column max_calls_per_minute integer not null default 30 check (max_calls_per_minute >= 0),
        add column spend_per_hour_micros bigint check (spend_per_hour_micros >= 0),
        add column probation_days smallint not null default 7 check (probation_days >= 0)""",
    f"""alter table clients
        add column allowed_risk_classes text[] check (allowed_risk_classes {_RISKS}),
        add column price_cap_per_minute_micros bigint check (price_cap_per_minute_micros >= 0),
        add column max_calls_per_minute integer check (max_calls_per_minute >= 0),
        add column spend_per_hour_micros bigint check (spend_per_hour_micros >= 0),
        add column probation_days smallint check (probation_days >= 0),
        add column operator_limits jsonb not null default '{{}}'""",
    "alter table devices add column max_calls_per_minute integer check (max_calls_per_minute >= 0)",
]


def upgrade() -> None:
    """Create the tables, then the platform's rows."""
    run_sql(STATEMENTS)
    run_sql(tenant_policy("barrings", client_column="client_id"))
    run_sql(tenant_policy("risk_classes", client_reads_brand=True, shared=True))
    bring_in(RISK_CLASSES, [{**row, "country": row["country"] or None} for row in listed(RISKS_LIST)])
    bring_in(EMERGENCY_NUMBERS, [_described(row) for row in listed(NUMBERS_LIST)])


def _described(row: dict[str, str]) -> dict[str, str]:
    about = f"{row['description']}; {row['source']}"
    return {"number": row["number"], "country": row["country"], "description": about}


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
