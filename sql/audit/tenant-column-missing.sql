-- A table that a service may use, without tenant_id.
-- high, fixed by hand, not for shared tables
-- Rows without a tenant are everybody's. Put tenant_id uuid not null default partywall.current_tenant_id() first in the
-- table's primary key and protect() it. The comment is for a table that all tenants may share.
select
    tables.name as object,
    null as part,
    null as role,
    format(
        'has no column tenant_id, and may be used by %s: '
        'put "tenant_id uuid not null default partywall.current_tenant_id()" first in its primary key '
        'and run "select partywall.protect(%L);"; or, if all tenants may share it, say so',
        string_agg(distinct grants.reached, ', '),
        tables.name
    ) as message,
    format('comment on table %s is ''partywall: shared, <why every tenant may see it>'';', tables.name) as fix
from tables
inner join grants on tables.oid = grants.relation
where tables.tenant_column is null
group by tables.name
