-- A service's login may use a foreign table.
-- high, fixed by the owner, not for shared tables
-- A foreign table cannot have row-level security, and reads with whatever rights its user mapping has on the other
-- side.
select
    relations.name as object,
    null as part,
    case when count(distinct grants.login) = 1 then min(grants.login_name) end as role,
    'is a foreign table, and may be used by ' || string_agg(distinct grants.reached, ', ') as message,
    format('revoke all on %s from %s;', relations.name, string_agg(distinct grants.grantee_name, ', ')) as fix
from relations
inner join grants on relations.oid = grants.relation
where relations.kind = 'f'
  and relations.is_audited
group by relations.name
