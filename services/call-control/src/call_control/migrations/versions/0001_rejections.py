"""Rejected calls in daily partitions; what every service has: outbox, idempotency keys, audit log.

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

# `caller` is what the called party may see; who withholds stands in `withheld_caller`, for operators alone.
REJECTIONS = """
create table rejections (
    id uuid not null, created_at timestamptz not null, brand_id uuid, client_id uuid,
    attempt_id text not null, reason text not null, sip_code integer not null, detail text not null,
    rule text not null, "limit" text, value text, remedy text not null,
    direction text not null, source_ip text, device_id uuid,
    caller text, withheld_caller text, callee text, trace jsonb not null,
    primary key (id, created_at))
    partition by range (created_at)
"""
INDEXES = [
    "create index rejections_created on rejections (created_at, id)",
    "create index rejections_brand on rejections (brand_id, created_at, id)",
    "create index rejections_client on rejections (client_id, created_at, id)",
]
# A partition named directly obeys its own policies, not its parent's: each gets the same ones.
ENSURE_DAY = """
create function ensure_rejections_day(day date) returns boolean
    language plpgsql security definer set search_path = call_control as $$
declare
    first timestamptz := day::timestamp at time zone 'UTC';
    next timestamptz := (day + 1)::timestamp at time zone 'UTC';
    part text := 'rejections_' || to_char(day, 'YYYY_MM_DD');
begin
    perform pg_advisory_xact_lock(hashtextextended('call_control partition ' || part, 0));
    if to_regclass('call_control.' || part) is not null then
        return false;
    end if;
    execute format('create table %I (like rejections including all)', part);
    lock table rejections_default in access exclusive mode;
    execute format('with moved as (delete from rejections_default where created_at >= %L and created_at < %L'
        ' returning *) insert into %I select * from moved', first, next, part);
    perform protect_rejections(part);
    execute format('alter table rejections attach partition %I for values from (%L) to (%L)',
        part, first, next);
    return true;
end $$
"""
DROP_DAYS = """
create function drop_rejections_days(before date) returns integer
    language plpgsql security definer set search_path = call_control as $$
declare
    part record;
    dropped integer := 0;
begin
    for part in
        select c.relname, to_date(right(c.relname, 10), 'YYYY_MM_DD') as day
          from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'call_control.rejections'::regclass
           and c.relname ~ '^rejections_[0-9]{4}_[0-9]{2}_[0-9]{2}$'
    loop
        if part.day < before then
            execute format('drop table %I', part.relname);
            dropped := dropped + 1;
        end if;
    end loop;
    delete from rejections_default where created_at < before::timestamp at time zone 'UTC';
    return dropped;
end $$
"""


def protection() -> str:
    """The function that puts a partition under the policies of the whole table."""
    lines = "".join(
        f"    execute format($sql$ {statement} $sql$, part);\n"
        for statement in tenant_policy("%1$I", client_column="client_id")
    )
    return (
        "create function protect_rejections(part text) returns void language plpgsql"
        f" set search_path = call_control as $$\nbegin\n{lines}"
        "    execute format('revoke update, delete on %I from call_control', part);\nend $$"
    )


def upgrade() -> None:
    """Everything, and the partitions of yesterday to the next days."""
    create_chassis_tables("call_control")
    run_sql([REJECTIONS, "create table rejections_default partition of rejections default", *INDEXES])
    run_sql(tenant_policy("rejections", client_column="client_id"))
    run_sql([protection(), ENSURE_DAY, DROP_DAYS])
    run_sql(
        [
            "select protect_rejections('rejections_default')",
            "select ensure_rejections_day((now() at time zone 'UTC')::date + n)"
            " from generate_series(-1, 3) n",
            "revoke update, delete on rejections from call_control",
        ]
    )
