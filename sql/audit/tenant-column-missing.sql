-- A table that a service may use, without tenant_id.
-- high, fixed by hand, not for shared tables
-- Rows without a tenant are everybody's. Give the table a column tenant_id, or say in its comment that all tenants
-- share it.
select
    tables.name as object,
    null as part,
    null as role,
    'has no column tenant_id, and may be used by ' || string_agg(distinct grants.reached, ', ') as message,
    format('comment on table %s is ''partywall: shared, <why every tenant may see it>'';', tables.name) as fix
from tables
inner join grants on tables.oid = grants.relation
where tables.tenant_column is null
group by tables.name
