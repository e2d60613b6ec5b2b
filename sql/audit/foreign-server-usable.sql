-- A service's login may use a foreign server.
-- medium, fixed by a superuser
-- With USAGE on a foreign server a login may map itself to an account on the other side and reach whatever that one
-- reaches.
select
    'server ' || servers.srvname as object,
    null as part,
    case when count(distinct grantees.login) = 1 then min(grantees.login_name) end as role,
    'may be used by ' || string_agg(distinct grantees.reached, ', ') as message,
    format(
        'revoke usage on foreign server %I from %s;', servers.srvname, string_agg(distinct grantees.grantee_name, ', ')
    ) as fix
from pg_catalog.pg_foreign_server as servers
cross join lateral aclexplode(servers.srvacl) as rights
inner join grantees on rights.grantee = grantees.grantee
where rights.grantee <> servers.srvowner
group by servers.srvname
