"""Jobs in the background and what they work on: sheets of DDIs."""

from __future__ import annotations

from landline.chassis.migrations import run_sql
from landline.chassis.postgres import tenant_policy

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATEMENTS = [
    """create table jobs (id uuid primary key, version integer not null, created_at timestamptz not null,
        updated_at timestamptz not null, brand_id uuid not null references brands, kind text not null,
        state text not null check (state in ('queued', 'running', 'done', 'failed')),
        rows_done integer not null, rows_total integer, error_count integer not null, errors jsonb not null,
        result jsonb, options jsonb not null, finished_at timestamptz)""",
    "create index jobs_page on jobs (brand_id, created_at, id)",
    "create index jobs_open on jobs (created_at, id) where state in ('queued', 'running')",
    """create table job_inputs (job_id uuid primary key references jobs on delete cascade,
        brand_id uuid not null references brands, body bytea not null)""",
    """create function job_queued() returns trigger language plpgsql as
        'begin perform pg_notify(''landline_provisioning_jobs'', ''''); return null; end'""",
    """create trigger job_queued after insert on job_inputs
        for each statement execute function job_queued()""",
]


def upgrade() -> None:
    """Create them."""
    run_sql(STATEMENTS)
    for table in ("jobs", "job_inputs"):
        run_sql(tenant_policy(table))


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
