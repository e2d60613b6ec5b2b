-- What the event triggers and the deferred trigger do. All of it runs as the superuser who installed it, calls nothing
-- that anyone else owns, and may be called by nobody. protect() alters tables, so they watch themselves: what it has
-- not done yet is one doubt more, which is none any more when it is settled.

-- Leaves a thing that is wrong now to the end of the transaction, where it must be right.
create or replace function partywall_guard.doubt(suspect oid)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Whoever made constraints immediate would have each doubt settled at once, and what comes up while it is settled
    -- as well, without end. All of it waits for the commit.
    set constraints partywall_guard.settle deferred;
    if not exists (select from partywall_guard.doubts where doubts.relation = suspect) then
        insert into partywall_guard.doubts (relation) values (suspect);
    end if;
end
$$;

create or replace function partywall_guard.watch()
returns event_trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    suspect      oid;
    is_new       boolean;
    mends_itself boolean;
begin
    for suspect, is_new in
        with recursive commands as (
            select classid, objid, command_tag
            from pg_event_trigger_ddl_commands()
        ),
        named as (
            select objid as relation, command_tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO') as is_new
            from commands
            where classid = 'pg_class'::regclass
            union all
            select policies.polrelid, false
            from commands
            inner join pg_policy as policies on commands.objid = policies.oid
            where commands.classid = 'pg_policy'::regclass
            union all
            -- A type whose attributes are a table's columns.
            select relations.oid, false
            from commands
            inner join pg_type as kinds on commands.objid in (kinds.oid, kinds.typrelid)
            inner join pg_class as relations on kinds.oid = relations.reloftype
            where commands.command_tag = 'ALTER TYPE'
            union all
            -- A schema that was renamed: what is in it was never looked at, if it has a watched one's name now.
            select relations.oid, false
            from commands
            inner join pg_class as relations on commands.objid = relations.relnamespace
            where commands.classid = 'pg_namespace'::regclass
              and commands.command_tag = 'ALTER SCHEMA'
        ),
        families as (
            select relation, named.is_new
            from named
            union
            select children.inhrelid, false
            from families
            inner join pg_inherits as children on families.relation = children.inhparent
        )
        select families.relation, bool_or(families.is_new)
        from families
        inner join pg_class as relations on families.relation = relations.oid
        where relations.relkind in ('r', 'p', 'v', 'm', 'f')
        group by families.relation
    loop
        select faults.mends_itself into mends_itself
        from partywall_guard.fault(suspect) as faults;
        if found and is_new and mends_itself then
            perform partywall_guard.protect(suspect::regclass);
        elsif found then
            perform partywall_guard.doubt(suspect);
        end if;
    end loop;

    if tg_tag = 'ALTER SCHEMA' and exists (
        select from partywall_guard.schemas
        where to_regnamespace(quote_ident(schemas.name)) is null
    ) then
        raise exception 'a schema that the guard watches cannot be renamed' using
            errcode = 'PW013',
            hint = 'A superuser takes a name that is gone off the list: partywall_guard.schemas.';
    end if;
end
$$;

create or replace function partywall_guard.watch_drops()
returns event_trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform partywall_guard.doubt(relations.oid)
    from pg_event_trigger_dropped_objects() as dropped
    inner join pg_class as relations on dropped.address_names[2] = relations.relname
    inner join pg_namespace as namespaces
        on relations.relnamespace = namespaces.oid
        and dropped.address_names[1] = namespaces.nspname
    where dropped.classid = 'pg_policy'::regclass;
end
$$;

-- At the end of the transaction: put back what can be put back, refuse what cannot.
create or replace function partywall_guard.settle()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    found_fault record;
begin
    delete from partywall_guard.doubts
    where doubts.relation = new.relation;
    if exists (select from partywall_guard.fault(new.relation) where mends_itself) then
        begin
            perform partywall_guard.protect(new.relation::regclass);
        exception when object_in_use then
            -- A foreign key of its rows waits for the commit as well. Once more, behind it.
            if new.is_second then
                raise;
            end if;
            insert into partywall_guard.doubts (relation, is_second) values (new.relation, true);
            return null;
        end;
    end if;
    select * into found_fault from partywall_guard.fault(new.relation);
    if found then
        raise exception '% %', new.relation::regclass, found_fault.fault using
            errcode = 'PW013',
            hint = found_fault.fix;
    end if;
    return null;
end
$$;
