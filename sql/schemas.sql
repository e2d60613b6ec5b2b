-- The three rooms of the house. Run by every migration, before anything else, as partywall_owner.

create schema if not exists partywall;
create schema if not exists partywall_private;
create schema if not exists app;

revoke all on schema partywall_private from public;

grant usage on schema partywall to
    partywall_worker, partywall_api, partywall_dispatcher, partywall_scheduler, partywall_operator;
grant usage on schema app to partywall_worker, partywall_api;

-- A function is executable by nobody until a grant says otherwise: PostgreSQL's own default is PUBLIC.
alter default privileges revoke execute on functions from public;

-- Adopters' tables: rows may be read and written by tasks. Never ALL: it includes TRUNCATE,
-- REFERENCES and TRIGGER, and each of them walks around row-level security.
alter default privileges in schema app
grant select, insert, update, delete on tables to partywall_worker;

-- Which files of sql/ this database has seen, and in which version.
create table if not exists partywall_private.installed_files (
    path         text not null,
    sha256       text not null,
    installed_at timestamptz not null default now(),
    primary key (path)
);

-- Pads instead of keys: HMAC-SHA-256 then needs only core sha256(), no extension. Here and not in a migration, because
-- a dump leaves this table out: see backup.sql, which also makes the first key.
create table if not exists partywall_private.signing_keys (
    id           integer not null generated always as identity,
    inner_pad    bytea not null,
    outer_pad    bytea not null,
    created_at   timestamptz not null default now(),
    retired_at   timestamptz,
    primary key (id)
);
