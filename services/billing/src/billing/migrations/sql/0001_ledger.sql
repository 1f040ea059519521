-- The ledger: append-only, gapless, its arithmetic checked by the database itself (domain section 8).

create table accounts (
    client_id uuid primary key,
    brand_id uuid not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    last_sequence bigint not null default 0,
    balance numeric(18, 6) not null default 0,
    created_at timestamptz not null default now()
)

create index accounts_brand on accounts (brand_id, client_id)

create table postings (
    client_id uuid not null references accounts,
    sequence bigint not null check (sequence > 0),
    id uuid not null unique,
    brand_id uuid not null,
    kind text not null check (kind in ('charge', 'top_up', 'adjustment', 'refund', 'transfer', 'opening')),
    amount numeric(18, 6) not null,
    balance_after numeric(18, 6) not null,
    call_id text,
    operation_id text,
    author text not null,
    reason text,
    idempotency_key text,
    created_at timestamptz not null,
    primary key (client_id, sequence)
)

create unique index postings_charge on postings (call_id) where kind = 'charge'

create index postings_call on postings (call_id) where call_id is not null

create unique index postings_operation on postings (operation_id) where operation_id is not null

create unique index postings_key on postings (client_id, idempotency_key) where idempotency_key is not null

create index postings_brand on postings (brand_id, created_at, id)

create index postings_client on postings (client_id, created_at, id)

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% of % is not allowed: it is append-only', tg_op, tg_table_name
        using errcode = 'restrict_violation';
end $$

create trigger postings_append_only before update or delete or truncate on postings
    for each statement execute function refuse_change()

-- Each inserted row must follow its predecessor in number and in money. As rows are never changed or deleted,
-- this makes the whole ledger gapless and its last balance the sum, by induction. The accounts then follow;
-- nothing else may move them (accounts_follow). Written with scalar sub-selects and `= any(array)`, not as
-- joins: a plan made while the table was small would read all of it for every batch.
create function check_postings() returns trigger language plpgsql as $$
declare
    wrong record;
    moved bigint;
    touched bigint;
begin
    select a.client_id, a.sequence into wrong from added a
     where a.balance_after is distinct from a.amount + case when a.sequence = 1 then 0 else
               (select p.balance_after from postings p
                 where p.client_id = a.client_id and p.sequence = a.sequence - 1) end
     limit 1;
    if found then
        raise exception 'posting % of client % does not follow its predecessor', wrong.sequence, wrong.client_id
            using errcode = 'check_violation', constraint = 'postings_follow';
    end if;
    select count(distinct client_id) into touched from added;
    update accounts a
       set (last_sequence, balance) = (select n.sequence, n.balance_after from added n
                                        where n.client_id = a.client_id and n.brand_id = a.brand_id
                                        order by n.sequence desc limit 1)
     where a.client_id = any(array(select client_id from added));
    get diagnostics moved = row_count;
    if moved <> touched then
        raise exception 'a posting names an account that is not there'
            using errcode = 'check_violation', constraint = 'postings_account';
    end if;
    return null;
end $$

create trigger postings_follow after insert on postings referencing new table as added
    for each statement execute function check_postings()

create function guard_account() returns trigger language plpgsql as $$
begin
    if (new.balance, new.last_sequence) is distinct from (old.balance, old.last_sequence)
            and pg_trigger_depth() < 2 then
        raise exception 'a balance moves only by a posting' using errcode = 'restrict_violation';
    end if;
    if (new.client_id, new.brand_id) is distinct from (old.client_id, old.brand_id) then
        raise exception 'an account keeps its owner' using errcode = 'restrict_violation';
    end if;
    if new.currency <> old.currency and old.last_sequence > 0 then
        raise exception 'the currency is fixed once money moved' using errcode = 'restrict_violation';
    end if;
    return new;
end $$

create trigger accounts_follow before update on accounts for each row execute function guard_account()

create function open_at_zero() returns trigger language plpgsql as $$
begin
    if new.balance <> 0 or new.last_sequence <> 0 then
        raise exception 'an account opens at zero' using errcode = 'restrict_violation';
    end if;
    return new;
end $$

create trigger accounts_open before insert on accounts for each row execute function open_at_zero()

create trigger accounts_kept before delete or truncate on accounts
    for each statement execute function refuse_change()

-- Corrections already applied: a redelivered one must find that it was (see app/record_calls.py).
create table call_corrections (
    correction_id text primary key,
    brand_id uuid not null,
    client_id uuid not null,
    call_id text not null,
    difference numeric(18, 6) not null,
    applied_at timestamptz not null
)

create index call_corrections_call on call_corrections (call_id)

-- The ledger as people list it: money in micros, as the resource kit reads it.
create view posting_lines with (security_invoker = true) as
select id, client_id, brand_id, sequence, kind, (amount * 1000000)::bigint as amount_micros,
       (balance_after * 1000000)::bigint as balance_after_micros, call_id, operation_id, author, reason,
       created_at, created_at as updated_at, 1 as version
  from postings
