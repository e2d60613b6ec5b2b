-- Puts a table behind the wall: row-level security enabled and forced, one permissive policy and its
-- restrictive twin, both on tenant_id. The twin keeps a second permissive policy from widening the
-- first. Its partitions and other children get the same, because whoever names a child directly is not
-- stopped by the parent's policies: run again after adding one. Run again at will; it puts back what was
-- altered.
--
-- bound: the roles the wall applies to; null means all, which is right for every adopter's table.
create or replace function partywall.protect(tenant_table regclass, bound name[] default null)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    member          regclass;
    kind            "char";
    column_is_there boolean;
    is_tenant       constant text := 'tenant_id = (select partywall.current_tenant_id())';
    roles           text := coalesce((select string_agg(quote_ident(role), ', ') from unnest(bound) as role), 'public');
begin
    for member, kind, column_is_there in
        with recursive family as (
            select tenant_table::oid as relation
            union
            select children.inhrelid
            from family
            inner join pg_inherits as children on family.relation = children.inhparent
        )
        select
            relations.oid,
            relations.relkind,
            exists (
                select from pg_attribute as columns
                where columns.attrelid = relations.oid
                  and columns.attname = 'tenant_id'
                  and columns.atttypid = 'uuid'::regtype
                  and not columns.attisdropped
            )
        from family
        inner join pg_class as relations on family.relation = relations.oid
    loop
        if kind not in ('r', 'p') or not column_is_there then
            raise exception '% cannot be protected', member using
                errcode = 'PW010',
                hint = 'Only a table with a column "tenant_id uuid not null" can stand behind the wall.';
        end if;

        execute format('alter table %s alter column tenant_id set not null', member);
        execute format('alter table %s enable row level security', member);
        execute format('alter table %s force row level security', member);
        execute format('drop policy if exists tenant_isolation on %s', member);
        execute format('drop policy if exists tenant_isolation_always on %s', member);
        execute format(
            'create policy tenant_isolation on %s as permissive to %s using (%s) with check (%s)',
            member, roles, is_tenant, is_tenant
        );
        execute format(
            'create policy tenant_isolation_always on %s as restrictive to %s using (%s) with check (%s)',
            member, roles, is_tenant, is_tenant
        );
    end loop;
end
$$;
