-- A service's login may create schemas.
-- high, fixed by a superuser
-- Whoever may create schemas plants functions and tables of its own, and makes others run them.
select
    'database ' || databases.datname as object,
    null as part,
    case when count(distinct grantees.login) = 1 then min(grantees.login_name) end as role,
    'CREATE is granted to ' || string_agg(distinct grantees.reached, ', ') as message,
    format(
        'revoke create on database %I from %s;', databases.datname, string_agg(distinct grantees.grantee_name, ', ')
    ) as fix
from pg_catalog.pg_database as databases
cross join lateral aclexplode(coalesce(databases.datacl, acldefault('d', databases.datdba))) as rights
inner join grantees on rights.grantee = grantees.grantee
where databases.datname = current_database()
  and rights.privilege_type = 'CREATE'
  and rights.grantee <> databases.datdba
group by databases.datname
