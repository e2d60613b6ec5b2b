"""Attacks that define: objects of A's own in B's way, or the wall itself put otherwise."""

import pytest

from tests.isolation.attacks.attack import attacks_on
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.weakness import SUPERUSER

switch = attacks_on("the wall switched off", SUPERUSER)
plant = attacks_on("objects planted", SUPERUSER)
shadow = attacks_on("functions replaced", SUPERUSER)
grant = attacks_on("rights given", SUPERUSER)
drop = attacks_on("objects dropped", SUPERUSER)

ATTACKS = (
    switch("row-level security off", "alter table app.notes disable row level security"),
    switch("no longer forced", "alter table app.notes no force row level security"),
    switch("a policy dropped", "drop policy tenant_isolation_always on app.notes"),
    switch("a policy altered", "alter policy tenant_isolation on app.notes using (true) with check (true)"),
    switch("a wider policy", "create policy wider on app.notes using (true)"),
    switch("another owner", "alter table app.notes owner to partywall_worker"),
    switch("the column renamed", "alter table app.comments rename column tenant_id to was_tenant_id"),
    switch("another default", "alter table app.notes alter column tenant_id set default '{b}'"),
    switch("a rule", "create rule also as on insert to app.notes do also delete from app.accounts"),
    switch(
        "triggers off",
        "alter table app.notes disable trigger all",
        "create trigger t before insert on app.notes"
        " for each row execute function suppress_redundant_updates_trigger()",
    ),
    switch("protected anew for one role only", "select partywall.protect('app.notes', array['partywall_api']::name[])"),
    switch("a child that is not protected", "create table public.child () inherits (app.notes)"),
    switch(
        "a partition of A's own",
        "create table public.part partition of app.events for values from ('2030-01-01') to ('2031-01-01')",
    ),
    switch("a partition taken off", "alter table app.events detach partition app.events_2026"),
    switch("the invoker's view made the owner's", "alter view app.note_bodies set (security_invoker = false)"),
    #
    plant("a schema", "create schema evil"),
    plant("a table", "create table public.evil (id integer)"),
    plant("a table in app", "create table app.evil (id integer)"),
    plant("a table by a query", "select * into public.evil from app.notes"),
    plant("a view", "create view public.evil as select * from app.notes"),
    plant("a materialized view", "create materialized view public.evil as select * from app.notes"),
    plant("a sequence", "create sequence public.evil"),
    plant("a type", "create type public.evil as enum ('x')"),
    plant("a domain", "create domain public.evil as text"),
    plant("an index", "create index evil on app.notes (body)"),
    plant("statistics", "create statistics public.evil on tenant_id, body from app.notes"),
    plant(
        "a trigger",
        "create trigger evil before update on app.notes for each row"
        " execute function suppress_redundant_updates_trigger()",
    ),
    plant(
        "an event trigger",
        "create function public.evil() returns event_trigger language plpgsql as 'begin end'",
        "create event trigger evil on ddl_command_end execute function public.evil()",
    ),
    plant("a function", "create function public.evil() returns integer language sql as 'select 1'"),
    plant(
        "a function that leaks nothing, it says",
        "create function public.evil(text) returns boolean language plpgsql leakproof cost 0.0001"
        " as 'begin raise notice ''%'', $1; return true; end'",
        "select count(*) from app.notes where public.evil(body)",
    ),
    plant("a procedure", "create procedure public.evil() language sql as 'select 1'"),
    plant("an operator", "create operator public.= (leftarg = uuid, rightarg = uuid, function = uuid_ne)"),
    plant("a cast", "create cast (bytea as text) without function"),
    plant("an extension", "create extension if not exists pgcrypto", "create extension plpgsql", "create schema evil"),
    plant("a foreign server", "create foreign data wrapper evil"),
    plant("a language", "create trusted language evil handler plpgsql_call_handler"),
    #
    shadow(
        "who the tenant is",
        "create or replace function partywall.current_tenant_id() returns uuid language sql stable"
        " as $$select '{b}'::uuid$$",
    ),
    shadow(
        "how a token is checked",
        "create or replace function partywall_private.verify(token text, out tenant_id uuid, out subject text)"
        " language sql stable as $$select '{b}'::uuid, 'job/x/1'$$",
    ),
    shadow("where a function looks", "alter function partywall.current_tenant_id() set search_path = public"),
    shadow("a function's rights", "alter function partywall.current_tenant_id() security invoker"),
    shadow("a function's name", "alter function partywall.enter(text) rename to entered"),
    shadow("a function's owner", "alter function partywall.enter(text) owner to partywall_worker"),
    shadow(
        "sha256 in the way",
        "create function public.sha256(bytea) returns bytea language sql immutable as 'select $1'",
        "set local search_path = public, pg_catalog",
        "select partywall.enter('{b_expired_token}')",
    ),
    #
    grant(
        "on a table",
        "grant select, truncate on app.notes to public",
        "grant all on all tables in schema app, partywall to partywall_worker",
    ),
    grant(
        "on a function", "grant execute on function partywall_private.mint(uuid, text, interval) to partywall_worker"
    ),
    grant("on a schema", "grant create, usage on schema partywall_private to partywall_worker"),
    grant("on the database", "grant temporary, create on database {database} to partywall_worker"),
    grant(
        "taken from others",
        "revoke all on app.notes from partywall_api, partywall_worker cascade",
        "revoke connect on database {database} from partywall_worker, partywall_api",
    ),
    grant("of a role", "grant partywall_owner to partywall_worker"),
    grant("of its own role to another", "grant partywall_worker to partywall_api"),
    grant("of another role to another", "grant partywall_dispatcher to partywall_api"),
    #
    drop("a table of the adopter's", "drop table app.comments"),
    drop("functions of both", "drop function app.count_notes()", "drop function partywall.uuid7() cascade"),
    drop(
        "everything the worker was given",
        "drop owned by current_user cascade",
        "drop owned by partywall_worker cascade",
    ),
    drop("everything another role was given", "drop owned by partywall_api cascade"),
    drop("a role", "drop role partywall_dispatcher", "alter role partywall_dispatcher nologin"),
    drop("the schema app", "drop schema app cascade"),
    drop("another login's password", "alter role partywall_api password 'known'"),
    drop("another login's settings", "alter role partywall_api set statement_timeout = '1ms'"),
    drop("statistics of a column", "alter table app.notes alter column body set statistics 1"),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
class TestDefining(Family):
    """None of them changes the catalog."""
