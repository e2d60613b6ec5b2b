-- A table without tenant_id that has policies, and row-level security off.
-- critical, fixed by the owner
-- Somebody wrote policies and believes that they hold. While row-level security is off, none does.
select
    tables.name as object,
    null as part,
    null as role,
    format('has policies, and row-level security is off: %s', string_agg(policies.name, ', ' order by policies.name))
    as message,
    format(
        'alter table %s enable row level security; alter table %s force row level security;', tables.name, tables.name
    ) as fix
from tables
inner join policies on tables.oid = policies.relation
where tables.tenant_column is null
  and not tables.is_enabled
group by tables.name
