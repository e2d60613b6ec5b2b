-- In whose name a right reaches each login that serves tenants: any role it can become, and PUBLIC, which is 0. What
-- the roles can that PostgreSQL brings along is not told here: see role-in-predefined-role.
-- `reached` is how a person says it, `grantee_name` how REVOKE does.
select
    logins.oid as login,
    logins.name as login_name,
    roles.oid as grantee,
    roles.oid::regrole::text as grantee_name,
    case when roles.oid = logins.oid then logins.name else format('%s (through %s)', logins.name, roles.rolname) end
    as reached
from logins
inner join memberships on logins.oid = memberships.login
inner join pg_catalog.pg_roles as roles on memberships.role = roles.oid
where not logins.migrates
  and roles.rolname not like 'pg\_%'
union all
select
    logins.oid as login,
    logins.name as login_name,
    0::oid as grantee,
    'public' as grantee_name,
    'PUBLIC' as reached
from logins
where not logins.migrates
