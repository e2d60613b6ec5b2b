-- What is wrong with a table, a view or what else holds rows. Asked of the catalog, judged by nothing but it.
-- plpgsql throughout: it keeps its plans, and these are asked with every CREATE and ALTER.

-- Does its comment say that all tenants share it, and why?
create or replace function partywall_guard.is_shared(relation oid)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select from string_to_table(obj_description(relation, 'pg_class'), e'\n') as line
        where btrim(line) like 'partywall: shared, _%'
    );
end
$$;

-- Everything that it reads, if it is a view, and that in turn reads; itself too.
create or replace function partywall_guard.sources(relation oid)
returns setof oid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    with recursive sources as (
        select relation as source
        union
        select uses.refobjid
        from sources
        inner join pg_class as views on sources.source = views.oid and views.relkind in ('v', 'm')
        inner join pg_rewrite as rules on views.oid = rules.ev_class
        inner join pg_depend as uses
            on uses.classid = 'pg_rewrite'::regclass
            and rules.oid = uses.objid
            and uses.refclassid = 'pg_class'::regclass
    )
    select source from sources;
end
$$;

-- Is it in a watched schema, a child of a table that is, or a view that reads one?
create or replace function partywall_guard.is_watched(relation oid)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        with recursive families as (
            select source as member
            from partywall_guard.sources(relation) as source
            union
            select children.inhparent
            from families
            inner join pg_inherits as children on families.member = children.inhrelid
        )
        select from families
        inner join pg_class as relations on families.member = relations.oid
        inner join pg_namespace as namespaces on relations.relnamespace = namespaces.oid
        inner join partywall_guard.schemas on namespaces.nspname = schemas.name
    );
end
$$;

-- Which of the two policies are there, and say what the template's say? As PostgreSQL spells them, not as they were
-- written; search_path decides how, so it has to be this one.
create or replace function partywall_guard.isolating_policies(relation oid)
returns setof name
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select policies.polname
    from pg_policy as policies
    inner join pg_policy as canonical
        on policies.polname = canonical.polname
        and policies.polpermissive = canonical.polpermissive
        and policies.polcmd = canonical.polcmd
        and policies.polroles = canonical.polroles
        and pg_get_expr(policies.polqual, policies.polrelid) = pg_get_expr(canonical.polqual, canonical.polrelid)
        and pg_get_expr(policies.polwithcheck, policies.polrelid)
        = pg_get_expr(canonical.polwithcheck, canonical.polrelid)
    where policies.polrelid = relation
      and canonical.polrelid = 'partywall_guard.template'::regclass;
end
$$;

-- One row, or none when nothing is wrong. `mends_itself`: protect() can put it right, and nobody meant anything by it.
create or replace function partywall_guard.fault(relation oid)
returns table (fault text, fix text, mends_itself boolean)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    it        pg_class;
    shown     constant text := relation::regclass;
    tenant    pg_attribute;
    present   name[];
    intact    name[];
begin
    select * into it
    from pg_class as relations
    where relations.oid = relation
      and relations.relkind in ('r', 'p', 'v', 'm', 'f')
      and relations.relpersistence <> 't';
    if not found or not partywall_guard.is_watched(relation) or partywall_guard.is_shared(relation) then
        return;
    end if;
    mends_itself := false;

    if it.relkind = 'v' then
        if not exists (
            select from pg_options_to_table(it.reloptions)
            where option_name = 'security_invoker' and option_value::boolean
        ) then
            fault := 'is a view that reads with the rights of its owner';
            fix := format('alter view %s set (security_invoker = true);', shown);
            return next;
        end if;
        return;
    end if;

    if it.relkind = 'm' then
        if exists (
            select from partywall_guard.sources(relation) as source
            inner join pg_class as sources on source = sources.oid
            where source <> relation
              and sources.relkind in ('r', 'p', 'f', 'm')
              and (
                  sources.relrowsecurity
                  or exists (
                      select from pg_attribute as columns
                      where columns.attrelid = source and columns.attname = 'tenant_id' and not columns.attisdropped
                  )
              )
        ) then
            fault := 'is a materialized view of tenants'' rows, and no policy can stand before it';
            fix := 'Make it a table with tenant_id that a task of each tenant fills.';
            return next;
        end if;
        return;
    end if;

    select * into tenant
    from pg_attribute as columns
    where columns.attrelid = relation
      and columns.attname = 'tenant_id'
      and columns.atttypid = 'uuid'::regtype
      and not columns.attisdropped;
    if it.relkind = 'f' or not found then
        fault := case when it.relkind = 'f'
            then 'is a foreign table, and no policy can stand before it'
            else 'has no column "tenant_id uuid not null"'
        end;
        fix := case when it.relkind <> 'f' then format(
            'Put "tenant_id uuid not null default partywall.current_tenant_id()" first in its primary key, '
            'and run "select partywall.protect(%L);". ', shown
        ) else '' end || format(
            'If all tenants may share it, say so before you commit: '
            'comment on table %s is ''partywall: shared, <why>'';', shown
        );
        return next;
        return;
    end if;

    present := array(select polname from pg_policy where polrelid = relation);
    intact := array(select partywall_guard.isolating_policies(relation));
    fault := case
        when not it.relrowsecurity then 'has its row-level security switched off'
        when not it.relforcerowsecurity then 'does not force row-level security on its owner'
        when not tenant.attnotnull then 'lets tenant_id be null'
        when cardinality(intact) < 2 then 'lacks its policy tenant_isolation or tenant_isolation_always, or has it altered'
    end;
    if fault is not null then
        fix := format('select partywall.protect(%L);', shown);
        -- A policy of another name, where one of ours is missing, may be ours under a new name.
        mends_itself := present = intact;
        return next;
    end if;
end
$$;
