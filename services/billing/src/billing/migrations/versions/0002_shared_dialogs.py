"""Records of calls that share a SIP dialog, and of callers who withhold.

`caller` is what the called client may see; who withholds stands in `withheld_caller`, for operators alone.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from landline.chassis.migrations import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """The view names its columns as they were when it was made, so it is made again."""
    run_sql(
        [
            "drop view record_lines",
            "alter table call_records add column withheld_caller text",
            "alter table call_records add column parent_call_id text",
            "alter table call_records add column on_net boolean not null default false",
            """create view record_lines with (security_invoker = true) as
                select *, (price * 1000000)::bigint as price_micros, (cost * 1000000)::bigint as cost_micros,
                       (unbilled_amount * 1000000)::bigint as unbilled_amount_micros
                  from call_records""",
        ]
    )


def downgrade() -> None:
    """Never: records are kept."""
    raise NotImplementedError
