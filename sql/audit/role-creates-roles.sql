-- A login that may, or can become somebody who may, create roles or databases.
-- high, fixed by a superuser
-- Whoever creates roles can give itself the rights of others; whoever creates databases is the owner of what is in
-- them.
select
    'role ' || logins.name as object,
    null as part,
    logins.name as role,
    case
        when memberships.role = logins.oid then 'may create '
        else format('can become %s, which may create ', roles.rolname)
    end
    || concat_ws(
        ' and ', case when roles.rolcreaterole then 'roles' end, case when roles.rolcreatedb then 'databases' end
    ) as message,
    case
        when memberships.role = logins.oid then format('alter role %I nocreaterole nocreatedb;', logins.name)
        else edges.mend
    end as fix
from memberships
inner join logins on memberships.login = logins.oid
inner join pg_catalog.pg_roles as roles on memberships.role = roles.oid
left join edges
    on memberships.login = edges.login
    and memberships.role = edges.role
where not roles.rolsuper
  and (roles.rolcreaterole or roles.rolcreatedb)
