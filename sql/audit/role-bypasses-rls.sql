-- A login that is, or can become, a superuser, BYPASSRLS or REPLICATION.
-- critical, fixed by a superuser
-- Superusers and roles with BYPASSRLS are asked no policy, and REPLICATION streams all rows of all tables.
select
    'role ' || logins.name as object,
    null as part,
    logins.name as role,
    case when memberships.role = logins.oid then 'is ' else format('can become %s, which is ', roles.rolname) end
    || concat_ws(
        ' and ',
        case when roles.rolsuper then 'superuser' end,
        case when roles.rolbypassrls then 'exempt from row-level security' end,
        case when roles.rolreplication then 'allowed to replicate' end
    ) as message,
    case
        when memberships.role = logins.oid
            then format('alter role %I nosuperuser nobypassrls noreplication;', logins.name)
        else edges.mend
    end as fix
from memberships
inner join logins on memberships.login = logins.oid
inner join pg_catalog.pg_roles as roles on memberships.role = roles.oid
left join edges
    on memberships.login = edges.login
    and memberships.role = edges.role
where roles.rolsuper
   or roles.rolbypassrls
   or roles.rolreplication
