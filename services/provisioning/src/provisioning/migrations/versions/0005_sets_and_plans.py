"""Media relay and application server sets; the notification templates in use; the facts of dial plans."""

from __future__ import annotations

from landline.chassis.migrations import run_sql
from landline.chassis.postgres import scoped_policy

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ROW = (
    "id uuid primary key, version integer not null, created_at timestamptz not null,"
    " updated_at timestamptz not null, name text not null, description text not null"
)
_RELAYS = "'00000000-0000-7000-8000-00000000d001'::uuid"
_SERVERS = "'00000000-0000-7000-8000-00000000d002'::uuid"
_TEMPLATES = "add column notification_template_ids jsonb not null default '{}'"

STATEMENTS = [
    f"create table media_relay_sets ({_ROW}, constraint media_relay_sets_name_key unique (name))",
    f"""create table application_server_sets ({_ROW}, servers text[] not null,
        constraint application_server_sets_name_key unique (name))""",
    f"insert into media_relay_sets values ({_RELAYS}, 1, now(), now(), 'default', '')",
    f"insert into application_server_sets values ({_SERVERS}, 1, now(), now(), 'default', '', '{{default}}')",
    f"""alter table brands
        add column media_relay_set_ids uuid[] not null default array[{_RELAYS}],
        add column application_server_set_ids uuid[] not null default array[{_SERVERS}], {_TEMPLATES}""",
    f"""alter table clients drop column media_relay_set, drop column application_server,
        add column media_relay_set_id uuid not null default {_RELAYS} references media_relay_sets,
        add column application_server_set_id uuid not null default {_SERVERS}
            references application_server_sets, {_TEMPLATES}""",
    "alter table carriers add column media_relay_set_id uuid references media_relay_sets",
    "alter table ddi_providers add column media_relay_set_id uuid references media_relay_sets",
    """alter table transformation_sets add column international_code text, add column trunk_prefix text,
        add column area_code text, add column national_lengths smallint[]""",
]


def upgrade() -> None:
    """Create and fill them: every brand and client has the default sets."""
    run_sql(STATEMENTS)
    for table in ("media_relay_sets", "application_server_sets"):
        run_sql(scoped_policy(table))


def downgrade() -> None:
    """Never: what operators configured is not thrown away."""
    raise NotImplementedError
