"""Row-level security of every table of every service, as the catalogue of Postgres tells it (promise 5).

Not one table by name: a migration that forgets its policy is found by itself.
"""

from __future__ import annotations

import pytest
from landline.chassis.postgres import Database, Scope
from landline.chassis.settings import Settings
from sqlalchemy import text

from tests.support.provisioning_api import provisioning_api

SCHEMAS = ("provisioning", "call_control", "billing", "notifier")
# A table without rows of tenants. Partitions count as tables: somebody may ask them directly.
NO_TENANT = {"alembic_version"}
_TABLES = text(
    "select c.relname, c.relrowsecurity, c.relforcerowsecurity, pg_get_userbyid(c.relowner) as owner,"
    " (select count(*) from pg_policy p where p.polrelid = c.oid) as policies"
    " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
    " where n.nspname = :schema and c.relkind in ('r', 'p') order by 1"
)


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_every_table_is_under_forced_row_security(settings: Settings, schema: str) -> None:
    """Enabled, forced (the owner too), with a policy, and owned by the migration role, not by the service."""
    db = Database(settings, schema)
    async with db.transaction(Scope.system()) as tx:
        tables = (await tx.execute(_TABLES, {"schema": schema})).all()
    await db.close()
    assert tables, f"no tables in {schema}"
    wrong = {
        t.relname: (t.relrowsecurity, t.relforcerowsecurity, t.policies, t.owner)
        for t in tables
        if t.relname not in NO_TENANT
        and not (t.relrowsecurity and t.relforcerowsecurity and t.policies and t.owner == "landline_owner")
    }
    assert wrong == {}, "use tenant_policy or scoped_policy in the migration"


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_services_role_cannot_step_round_it(settings: Settings, schema: str) -> None:
    """No superuser, no BYPASSRLS, no member of the owner: it could drop the policies."""
    db = Database(settings, schema)
    async with db.transaction(Scope.system()) as tx:
        role = (
            await tx.execute(
                text(
                    "select rolsuper, rolbypassrls, rolcreaterole,"
                    " pg_has_role(rolname, 'landline_owner', 'member') as owns"
                    " from pg_roles where rolname = current_user"
                )
            )
        ).one()
    await db.close()
    assert tuple(role) == (False, False, False, False)


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_without_a_scope_no_table_shows_a_row(settings: Settings, schema: str) -> None:
    """A connection past the one hand-out place sees nothing, in any table, whatever is in it."""
    async with provisioning_api(settings) as api:
        await api.client(await api.brand())
    db = Database(settings, schema)
    async with db.transaction(Scope.system()) as tx:
        tables = [t.relname for t in await tx.execute(_TABLES, {"schema": schema})]
    shown = {}
    async with db.engine.begin() as tx:
        for name in set(tables) - NO_TENANT:
            count = await tx.scalar(text(f'select count(*) from "{name}"'))
            if count:
                shown[name] = count
    await db.close()
    assert shown == {}
