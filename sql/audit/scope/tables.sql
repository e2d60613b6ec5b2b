-- The tables that are judged, with their column tenant_id if they have one, and the statement that protects them as
-- they were: where both policies are bound to the same roles, that is how they were meant.
select
    relations.oid,
    relations.name,
    relations.owner,
    relations.kind,
    classes.relrowsecurity as is_enabled,
    classes.relforcerowsecurity as is_forced,
    columns.attnum as tenant_column,
    columns.atttypid as tenant_type,
    columns.attnotnull as tenant_is_required,
    coalesce(columns.atttypid = 'uuid'::regtype, false) as is_protectable,
    exists(
        select 1 from pg_catalog.pg_inherits as parents
        where parents.inhrelid = relations.oid
    ) as is_child,
    format('select partywall.protect(%L%s);', relations.name, bound.spelled) as protect
from relations
inner join pg_catalog.pg_class as classes on relations.oid = classes.oid
left join pg_catalog.pg_attribute as columns
    on relations.oid = columns.attrelid
    and columns.attname = 'tenant_id'
    and not columns.attisdropped
left join lateral (
    select
        case
            when count(distinct policies.polroles) = 1 and count(*) = 2 and not 0 = any(min(policies.polroles))
                then (
                    select format(', array[%s]', string_agg(quote_literal(roles.rolname), ', ' order by roles.rolname))
                    from pg_catalog.pg_roles as roles
                    where roles.oid = any(min(policies.polroles))
                )
        end as spelled
    from pg_catalog.pg_policy as policies
    where policies.polrelid = relations.oid
      and policies.polname in ('tenant_isolation', 'tenant_isolation_always')
) as bound on true
where relations.is_audited
  and relations.kind in ('r', 'p')
