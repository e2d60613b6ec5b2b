-- A service's login may read pg_stat_statements.
-- medium, fixed by a superuser
-- pg_stat_statements shows the statements of every session of the same role, with the literals of whatever tenant sent
-- them.
select
    relations.name as object,
    null as part,
    case when count(distinct grants.login) = 1 then min(grants.login_name) end as role,
    'may be read by ' || string_agg(distinct grants.reached, ', ') as message,
    format('revoke select on %s from %s;', relations.name, string_agg(distinct grants.grantee_name, ', ')) as fix
from relations
inner join grants on relations.oid = grants.relation
where relations.name like '%.pg\_stat\_statements'
  and grants.privilege = 'SELECT'
group by relations.name
