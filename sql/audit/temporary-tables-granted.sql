-- A service's login may create temporary tables.
-- medium, fixed by a superuser
-- A temporary table stands in for a real one of the same name, for whoever uses the session next.
select
    'database ' || databases.datname as object,
    null as part,
    case when count(distinct grantees.login) = 1 then min(grantees.login_name) end as role,
    'TEMPORARY is granted to ' || string_agg(distinct grantees.reached, ', ') as message,
    format(
        'revoke temporary on database %I from %s;', databases.datname, string_agg(distinct grantees.grantee_name, ', ')
    ) as fix
from pg_catalog.pg_database as databases
cross join lateral aclexplode(coalesce(databases.datacl, acldefault('d', databases.datdba))) as rights
inner join grantees on rights.grantee = grantees.grantee
where databases.datname = current_database()
  and rights.privilege_type = 'TEMPORARY'
  and rights.grantee <> databases.datdba
group by databases.datname
