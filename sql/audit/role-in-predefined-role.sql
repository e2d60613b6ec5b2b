-- high, fixed by a superuser
-- The roles that PostgreSQL brings along reach across tenants: they read all tables, files or sessions, or run
-- programs.
select
    'role ' || logins.name as object,
    null as part,
    logins.name as role,
    'is a member of ' || roles.rolname as message,
    edges.mend as fix
from memberships
inner join logins on memberships.login = logins.oid
inner join pg_catalog.pg_roles as roles on memberships.role = roles.oid
left join edges
    on memberships.login = edges.login
    and memberships.role = edges.role
where roles.rolname like 'pg\_%'
  and roles.rolname <> 'pg_database_owner'
