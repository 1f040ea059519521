"""In a migration: a function that finds rows by what a text contains, by index, under the table's policies.

It runs as the owner, whom one more policy lets read the table, so that LIKE may use the trigram index; the
tenant's policies are part of its own condition, copied from the catalogue. Make it anew when they change.
Without pg_trgm on the server it works all the same, slowly.
"""

from __future__ import annotations

OWNER = "landline_owner"

_EXTENSION = """
do $$ begin
    create extension if not exists pg_trgm schema {schema};
exception when others then
    raise notice 'no pg_trgm: % - lists filtered by __contains stay slow', sqlerrm;
end $$
"""
_INDEX = """
do $$ declare place text; begin
    select n.nspname into place from pg_extension e join pg_namespace n on n.oid = e.extnamespace
     where e.extname = 'pg_trgm';
    if place is not null then
        execute format('create index {table}_{column}_contains on {table}'
                       ' using gin (lower({column}) %I.gin_trgm_ops)', place);
    end if;
end $$
"""
# Less than three letters in a row have no trigram. A pattern that one row in a hundred has is found soonest
# in the order of the list: a sample of blocks tells.
_FUNCTION = """
do $outer$ declare visible text; begin
    select string_agg('(' || qual || ')', ' or ') into visible from pg_policies
     where schemaname = current_schema() and tablename = '{table}' and cmd in ('ALL', 'SELECT')
       and policyname <> 'finder';
    execute format($make$
        create function {table}_containing(wanted text, most integer) returns uuid[]
        language plpgsql stable security definer set search_path = {schema}, pg_temp as $body$
        declare seen bigint; hits bigint; found uuid[];
        begin
            wanted := lower(wanted);
            if wanted !~ '[[:alnum:]]{{3}}' then return null; end if;
            select count(*), count(*) filter (where lower({column}) like wanted) into seen, hits
              from {table} tablesample system (0.2);
            if hits > 20 and hits * 100 > seen then return null; end if;
            select coalesce(array_agg(id), '{{}}') into found from (
                select id from {table} where lower({column}) like wanted and (%s) limit most + 1) few;
            return case when cardinality(found) <= most then found end;
        end $body$ $make$, visible);
end $outer$
"""


def finder(schema: str, table: str, column: str) -> list[str]:
    """Statements that make `<table>_containing(pattern, most) returns uuid[]`, after the table's policies.

    `pattern` is one of LIKE, in any case. Null: more than `most`, or so many that no index helps.
    """
    names = {"schema": schema, "table": table, "column": column}
    signature = f"{table}_containing(text, integer)"
    return [
        _EXTENSION.format(**names),
        _INDEX.format(**names),
        f"create policy finder on {table} for select to {OWNER} using (true)",
        _FUNCTION.format(**names),
        f"revoke execute on function {signature} from public",
        f"grant execute on function {signature} to {schema}",
    ]
