-- Partitions are made and dropped by functions of the owner: the service's role may not change tables.

-- Makes the partition of one month if it is missing; rows of that month that went to the default partition
-- move into it. Returns whether it was made. Call it in system scope.
create function ensure_month(parent text, month date) returns boolean
    language plpgsql security definer set search_path = billing as $$
declare
    first timestamptz := date_trunc('month', month::timestamp) at time zone 'UTC';
    next timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') at time zone 'UTC';
    part text := parent || to_char(month, '_YYYY_MM');
begin
    if parent not in ('call_records', 'raw_events') then
        raise exception 'no such partitioned table: %', parent;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('billing partition ' || part, 0));
    if to_regclass('billing.' || part) is not null then
        return false;
    end if;
    execute format('create table %I (like %I including all)', part, parent);
    execute format('lock table %I in access exclusive mode', parent || '_default');
    execute format('with moved as (delete from %I where id_time >= %L and id_time < %L returning *)'
        ' insert into %I select * from moved', parent || '_default', first, next, part);
    perform protect_partition(part);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, part, first, next);
    return true;
end $$

-- Drops the months of raw events that ended before a moment. Returns how many.
create function drop_raw_months(before timestamptz) returns integer
    language plpgsql security definer set search_path = billing as $$
declare
    part record;
    dropped integer := 0;
begin
    for part in
        select c.relname, to_date(right(c.relname, 7), 'YYYY_MM') as month
          from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'billing.raw_events'::regclass and c.relname ~ '^raw_events_\d{4}_\d{2}$'
    loop
        if (part.month + interval '1 month') at time zone 'UTC' <= before then
            execute format('drop table %I', part.relname);
            dropped := dropped + 1;
        end if;
    end loop;
    return dropped;
end $$
