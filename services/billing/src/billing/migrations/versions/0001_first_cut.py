"""Parties, ledger, call records, rates, jobs.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from pathlib import Path

from landline.chassis.migrations import create_chassis_tables, run_sql
from landline.chassis.postgres import tenant_policy

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"
CLIENTS_OWN = ("clients", "accounts", "postings", "call_corrections", "call_records", "raw_events")
BRANDS_OWN = (
    "brands",
    "carriers",
    "rate_decks",
    "deck_versions",
    "rates",
    "rating_plans",
    "rating_plan_entries",
    "jobs",
    "job_inputs",
)


def upgrade() -> None:
    """Everything of billing's first cut."""
    create_chassis_tables("billing")
    for topic in ("parties", "ledger", "records", "rates"):
        run_sql(statements(f"0001_{topic}.sql"))
    for table in CLIENTS_OWN:
        run_sql(tenant_policy(table, client_column="client_id"))
    for table in BRANDS_OWN:
        run_sql(tenant_policy(table, client_reads_brand=table in ("brands", "rating_plans")))
    run_sql(tenant_policy("rating_profiles", client_column="client_id"))
    run_sql(partitions())
    run_sql(statements("0001_months.sql"))
    run_sql(
        [
            "select ensure_month(parent, (date_trunc('month', now()) + n * interval '1 month')::date)"
            " from generate_series(-1, 3) n, unnest(array['call_records', 'raw_events']) parent",
            "revoke update, delete on postings, raw_events from billing",
            "revoke delete on accounts, call_records, call_corrections from billing",
        ]
    )


def partitions() -> list[str]:
    """The default partitions' own protection, and the function that gives it to every later one.

    A partition named directly obeys its own policies, not its parent's: each needs the same ones.
    """
    protect = tenant_policy("%1$I", client_column="client_id")
    lines = "".join(f"    execute format($sql$ {statement} $sql$, part);\n" for statement in protect)
    return [
        "create function protect_partition(part text) returns void language plpgsql"
        f" set search_path = billing as $$\nbegin\n{lines}"
        "    execute format('revoke update, delete on %I from billing', part);\nend $$",
        "select protect_partition('call_records_default'), protect_partition('raw_events_default')",
    ]


def statements(name: str) -> list[str]:
    """The statements of a file: a blank line ends one, so none may hold a blank line."""
    chunks = (SQL / name).read_text("utf-8").split("\n\n")
    return [
        chunk for chunk in chunks if any(not line.startswith("--") for line in chunk.splitlines() if line)
    ]


def downgrade() -> None:
    """Never: the ledger is not thrown away."""
    raise NotImplementedError
