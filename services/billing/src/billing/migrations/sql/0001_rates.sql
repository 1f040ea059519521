-- Rates. A deck's rows belong to one version of it; the deck names the version that is in force, so an import
-- of any size becomes visible in one short transaction (docs/decisions/0009-ledger.md).

create table rate_decks (
    id uuid primary key,
    brand_id uuid not null,
    name text not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    deductible_connect_fee boolean not null default false,
    published_version integer not null default 0,
    rows integer not null default 0,
    published_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version integer not null default 1,
    unique (brand_id, name)
)

create table deck_versions (
    deck_id uuid not null references rate_decks on delete cascade,
    version integer not null,
    brand_id uuid not null,
    rows integer not null,
    sha256 text not null,
    file bytea not null,
    published_at timestamptz not null,
    primary key (deck_id, version)
)

alter table deck_versions alter column file set storage external

-- No foreign key to the deck: a check per row would double the time of an import. The view below shows only
-- rows of decks that are there; whoever deletes a deck deletes its rows.
create table rates (
    deck_id uuid not null,
    deck_version integer not null,
    prefix text not null,
    brand_id uuid not null,
    destination text not null,
    connect_fee numeric(18, 6) not null,
    tiers bigint[] not null,
    primary key (deck_id, deck_version, prefix)
)

comment on column rates.tiers is 'interval_start_s, rate in nanos a minute, increment_s; three numbers per tier'

-- The rates in force, as people list them. The id is made of what identifies a rate across versions.
create view published_rates with (security_invoker = true) as
select md5(r.deck_id::text || r.prefix)::uuid as id, r.brand_id, r.deck_id as rate_deck_id, r.prefix,
       r.destination, (r.connect_fee * 1000000)::bigint as connect_fee_micros,
       (r.tiers[2] * 0.000000001)::numeric(18, 9) as rate_per_minute,
       r.tiers[3]::integer as increment_s, r.tiers, r.deck_version as version,
       d.published_at as created_at, d.published_at as updated_at
  from rates r join rate_decks d on d.id = r.deck_id and d.published_version = r.deck_version

create table rating_plans (
    id uuid primary key,
    brand_id uuid not null,
    name text not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    timezone text not null,
    decimals smallint not null default 4 check (decimals between 0 and 6),
    rounding text not null default 'half_up' check (rounding in ('half_up', 'up', 'down')),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version integer not null default 1,
    unique (brand_id, name)
)

create table rating_plan_entries (
    id uuid primary key,
    brand_id uuid not null,
    rating_plan_id uuid not null references rating_plans on delete cascade,
    rate_deck_id uuid not null references rate_decks,
    weight integer not null default 10 check (weight between 0 and 100000),
    weekdays smallint[],
    time_in text check (time_in ~ '^[0-2]\d:[0-5]\d:[0-5]\d$'),
    time_out text check (time_out ~ '^[0-2]\d:[0-5]\d:[0-5]\d$'),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version integer not null default 1
)

create index rating_plan_entries_plan on rating_plan_entries (rating_plan_id, id)

create index rating_plan_entries_deck on rating_plan_entries (rate_deck_id)

create table rating_profiles (
    id uuid primary key,
    brand_id uuid not null,
    client_id uuid,
    carrier_id uuid,
    rating_plan_id uuid not null references rating_plans,
    activation_time timestamptz not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version integer not null default 1,
    constraint rating_profiles_one_party check (num_nonnulls(client_id, carrier_id) = 1)
)

create unique index rating_profiles_client on rating_profiles (client_id, activation_time)
    where client_id is not null

create unique index rating_profiles_carrier on rating_profiles (carrier_id, activation_time)
    where carrier_id is not null

create index rating_profiles_plan on rating_profiles (rating_plan_id)

create index rating_profiles_brand on rating_profiles (brand_id, id)

create table jobs (
    id uuid primary key,
    brand_id uuid not null,
    kind text not null,
    rate_deck_id uuid references rate_decks on delete cascade,
    state text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed')),
    stage text,
    options jsonb not null,
    rows_done integer not null default 0,
    rows_total integer,
    error_count integer not null default 0,
    errors jsonb not null default '[]',
    result jsonb,
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    finished_at timestamptz,
    version integer not null default 1
)

create index jobs_open on jobs (created_at) where state in ('queued', 'running')

create index jobs_brand on jobs (brand_id, created_at desc)

create table job_inputs (
    job_id uuid primary key references jobs on delete cascade,
    brand_id uuid not null,
    body bytea not null
)

create function job_queued() returns trigger language plpgsql as $$
begin
    perform pg_notify('landline_billing_jobs', '');
    return null;
end $$

create trigger job_queued after insert on job_inputs for each statement execute function job_queued()
