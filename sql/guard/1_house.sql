-- Where the guard lives: a schema of the superuser's, so that nobody whom it watches can change it.
-- Installed by `partywall migrate --with-guard`; run again at will.

do $ours$
begin
    -- The owner of the platform may create schemas: one that he prepared would stay his.
    if exists (
        select from pg_namespace as schemas
        inner join pg_roles as owners on schemas.nspowner = owners.oid
        where schemas.nspname = 'partywall_guard'
          and not owners.rolsuper
    ) then
        raise exception 'the schema partywall_guard does not belong to a superuser' using
            errcode = 'PW013',
            hint = 'Find out who made it, and why; then: drop schema partywall_guard cascade;';
    end if;
end
$ours$;

create schema if not exists partywall_guard;

-- Which schemas are watched. A superuser adds one with: insert into partywall_guard.schemas values ('billing');
create table if not exists partywall_guard.schemas (
    name text not null,
    primary key (name)
);

insert into partywall_guard.schemas (name)
values ('app')
on conflict do nothing;

-- What is wrong at this moment and may be so until the transaction ends. Nothing ever stays in it.
create unlogged table if not exists partywall_guard.doubts (
    relation  oid not null,
    is_second boolean not null default false
);

-- Which version of these files is installed.
create table if not exists partywall_guard.installed (
    sha256       text not null,
    installed_at timestamptz not null default now()
);

-- What a protected table looks like. PostgreSQL spells the policies of both, and the spellings are compared.
create table if not exists partywall_guard.template (
    tenant_id uuid not null
);
