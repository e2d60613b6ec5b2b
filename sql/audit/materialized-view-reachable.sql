-- A service's login may read a materialized view.
-- high, fixed by the owner, not for shared tables
-- A materialized view holds what its owner saw, and cannot have row-level security: everybody who may read it reads
-- all of it.
select
    relations.name as object,
    null as part,
    case when count(distinct grants.login) = 1 then min(grants.login_name) end as role,
    format(
        'is a materialized view%s, and may be read by %s',
        coalesce(' of ' || min(tenant_views.shows), ''), string_agg(distinct grants.reached, ', ')
    ) as message,
    format('revoke all on %s from %s;', relations.name, string_agg(distinct grants.grantee_name, ', ')) as fix
from relations
inner join grants on relations.oid = grants.relation
left join tenant_views on relations.oid = tenant_views.oid
where relations.kind = 'm'
  and (relations.is_audited or tenant_views.oid is not null)
group by relations.name
