"""Every list starts from an index by tenant, also a brand's million DDIs filtered by something rare.

What most rows have (state active, record none) is found at once by the order of the page; what few have gets
an index of its own over just those rows, so that it costs the others nothing.
"""

from __future__ import annotations

from landline.chassis.migrations import run_sql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_PAGED = (
    "transformation_sets",
    "transformation_rules",
    "special_numbers",
    "emergency_numbers",
    "carriers",
    "destination_patterns",
    "ddi_providers",
    "match_lists",
)
_PAGE = "(brand_id, created_at, id)"
_RARE = {
    "pool": "client_id is null",
    "state": "state <> 'active'",
    "out": "kind <> 'inout'",
    "record": "record <> 'none'",
    "boxes": "target not in ('none', 'device')",
}

STATEMENTS = [
    *(f"create index {table}_page on {table} {_PAGE}" for table in _PAGED),
    *(f"create index ddis_{name} on ddis {_PAGE} where {rows}" for name, rows in _RARE.items()),
    "create index ddis_country on ddis (brand_id, country, created_at, id)",
    "drop index ddis_provider",
    "create index ddis_provider on ddis (ddi_provider_id, created_at, id) where ddi_provider_id is not null",
]


def upgrade() -> None:
    """Create the indexes."""
    run_sql(STATEMENTS)


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
