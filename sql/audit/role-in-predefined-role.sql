-- A login in a role that PostgreSQL brings along: pg_read_all_data, pg_monitor and the like.
-- high, fixed by a superuser
-- The roles that PostgreSQL brings along reach across tenants: they read all tables, files or sessions, or run
-- programs.
select
    'role ' || logins.name as object,
    null as part,
    logins.name as role,
    case when memberships.role = logins.oid then 'is' else format('can become %s, which is', members.rolname) end
    || ' a member of ' || string_agg(roles.rolname, ', ' order by roles.rolname) as message,
    format(
        'revoke %s from %s;', string_agg(quote_ident(roles.rolname), ', ' order by roles.rolname), members.oid::regrole
    ) as fix
from memberships
inner join logins on memberships.login = logins.oid
inner join pg_catalog.pg_roles as members on memberships.role = members.oid
inner join pg_catalog.pg_auth_members as grants on memberships.role = grants.member
inner join pg_catalog.pg_roles as roles on grants.roleid = roles.oid
where roles.rolname like 'pg\_%'
  and members.rolname not like 'pg\_%'
group by logins.oid, logins.name, memberships.role, members.oid, members.rolname
