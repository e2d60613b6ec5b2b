-- Puts a table behind the wall: row-level security enabled and forced, one permissive policy and its
-- restrictive twin, both on tenant_id. The twin keeps a second permissive policy from widening the
-- first. Run again at will: it puts back what was altered.
--
-- bound: the roles the wall applies to; null means all, which is right for every adopter's table.
create or replace function partywall.protect(tenant_table regclass, bound name[] default null)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    column_is_there boolean;
    kind            "char";
    is_tenant       constant text := 'tenant_id = (select partywall.current_tenant_id())';
    roles           text := coalesce((select string_agg(quote_ident(role), ', ') from unnest(bound) as role), 'public');
begin
    select relkind into kind from pg_class where oid = tenant_table;
    select exists (
        select from pg_attribute
        where attrelid = tenant_table and attname = 'tenant_id' and atttypid = 'uuid'::regtype and not attisdropped
    ) into column_is_there;

    if kind not in ('r', 'p') or not column_is_there then
        raise exception '% cannot be protected', tenant_table using
            errcode = 'PW010',
            hint = 'Only a table with a column "tenant_id uuid not null" can stand behind the wall.';
    end if;

    execute format('alter table %s alter column tenant_id set not null', tenant_table);
    execute format('alter table %s enable row level security', tenant_table);
    execute format('alter table %s force row level security', tenant_table);
    execute format('drop policy if exists tenant_isolation on %s', tenant_table);
    execute format('drop policy if exists tenant_isolation_always on %s', tenant_table);
    execute format(
        'create policy tenant_isolation on %s as permissive to %s using (%s) with check (%s)',
        tenant_table, roles, is_tenant, is_tenant
    );
    execute format(
        'create policy tenant_isolation_always on %s as restrictive to %s using (%s) with check (%s)',
        tenant_table, roles, is_tenant, is_tenant
    );
end
$$;
