-- A service's login has TRUNCATE.
-- critical, fixed by the owner
-- TRUNCATE asks no policy: it empties the table for every tenant.
select
    relations.name as object,
    null as part,
    case when count(distinct grants.login) = 1 then min(grants.login_name) end as role,
    'TRUNCATE is granted to ' || string_agg(distinct grants.reached, ', ') as message,
    format('revoke truncate on %s from %s;', relations.name, string_agg(distinct grants.grantee_name, ', ')) as fix
from relations
inner join grants on relations.oid = grants.relation
where relations.is_audited
  and grants.privilege = 'TRUNCATE'
group by relations.name
