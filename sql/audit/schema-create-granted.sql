-- A service's login may create objects in a schema.
-- high, fixed by the owner
-- Whoever may create in a schema plants functions and tables that others run and fill without knowing.
select
    'schema ' || namespaces.nspname as object,
    null as part,
    case when count(distinct grantees.login) = 1 then min(grantees.login_name) end as role,
    'CREATE is granted to ' || string_agg(distinct grantees.reached, ', ') as message,
    format(
        'revoke create on schema %I from %s;', namespaces.nspname, string_agg(distinct grantees.grantee_name, ', ')
    ) as fix
from pg_catalog.pg_namespace as namespaces
cross join lateral aclexplode(namespaces.nspacl) as rights
inner join grantees on rights.grantee = grantees.grantee
where rights.privilege_type = 'CREATE'
  and rights.grantee <> namespaces.nspowner
group by namespaces.nspname
