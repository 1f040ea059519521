-- What billing needs to know of others' entities; copies from the `config` stream, applied by version.

create table brands (
    brand_id uuid primary key,
    name text not null,
    currency text not null,
    timezone text not null,
    deleted boolean not null default false,
    version bigint not null
)

create table clients (
    client_id uuid primary key,
    brand_id uuid not null,
    name text,
    currency text not null,
    timezone text not null,
    language text,
    billing_method text,
    show_billing_details boolean not null default true,
    deleted boolean not null default false,
    version bigint not null
)

comment on column clients.version is 'of the config event; 0: made from a call that came before it'

create index clients_brand on clients (brand_id, client_id)

create table carriers (
    carrier_id uuid primary key,
    brand_id uuid not null,
    name text,
    currency text,
    deleted boolean not null default false,
    version bigint not null
)

create index carriers_brand on carriers (brand_id, carrier_id)
