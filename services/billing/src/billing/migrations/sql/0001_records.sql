-- Call records and raw money events, partitioned by the month of the time inside their UUIDv7 (`id_time`):
-- a function of the id, so the key (id, id_time) is unique for the id alone.

create table call_records (
    id text not null,
    id_time timestamptz not null,
    brand_id uuid not null,
    client_id uuid not null,
    device_id uuid,
    ddi_id uuid,
    direction text not null check (direction in ('outbound', 'inbound')),
    endpoint_type text not null,
    caller text not null,
    callee text not null,
    class text not null,
    billing_method text not null,
    currency text not null,
    timezone text not null,
    started_at timestamptz not null,
    admitted_at timestamptz not null,
    answered_at timestamptz,
    ended_at timestamptz not null,
    duration_s integer not null check (duration_s >= 0),
    price numeric(18, 6) check (price >= 0),
    price_check text not null,
    unbilled_s integer not null,
    unbilled_amount numeric(18, 6) not null,
    spend_by_day jsonb not null,
    cost numeric(18, 6),
    tariff text,
    rating_plan_id uuid,
    rating_profile_id uuid,
    rate_deck_id uuid,
    rate_deck_version integer,
    prefix text,
    destination text,
    carrier_id uuid,
    server_id uuid,
    attempts jsonb not null,
    cause text not null,
    ended_by text not null,
    sip_code integer,
    sip_call_id text,
    edge_id uuid,
    outage boolean not null,
    corrected boolean not null default false,
    invoice_id uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version integer not null default 1,
    primary key (id, id_time)
) partition by range (id_time)

create index call_records_client on call_records (client_id, started_at desc, id desc)

create index call_records_brand on call_records (brand_id, started_at desc, id desc)

create table call_records_default partition of call_records default

create table raw_events (
    id uuid not null,
    id_time timestamptz not null,
    brand_id uuid,
    client_id uuid,
    call_id text,
    type text not null,
    stream text not null,
    entry_id text not null,
    event bytea not null,
    received_at timestamptz not null,
    primary key (id, id_time)
) partition by range (id_time)

create index raw_events_call on raw_events (call_id)

create table raw_events_default partition of raw_events default

-- Call records as people list them: money in micros, as the resource kit reads it.
create view record_lines with (security_invoker = true) as
select *, (price * 1000000)::bigint as price_micros, (cost * 1000000)::bigint as cost_micros,
       (unbilled_amount * 1000000)::bigint as unbilled_amount_micros
  from call_records
