"""What few of a brand's clients and devices have is found without reading all of them."""

from __future__ import annotations

from landline.chassis.migrations import run_sql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_PAGE = "created_at, id"

STATEMENTS = [
    f"create index clients_billing_method on clients (brand_id, billing_method, {_PAGE})",
    f"create index clients_country on clients (brand_id, country, {_PAGE})",
    f"create index clients_disabled on clients (brand_id, {_PAGE}) where not enabled",
    f"create index clients_filtered on clients (brand_id, {_PAGE}) where ip_filter",
    f"create index clients_limited on clients (brand_id, {_PAGE}) where max_daily_usage_micros is not null",
    f"create index devices_direct on devices (brand_id, {_PAGE}) where direct_connectivity",
    f"create index devices_disabled on devices (brand_id, {_PAGE}) where not enabled",
]


def upgrade() -> None:
    """Create the indexes."""
    run_sql(STATEMENTS)


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
