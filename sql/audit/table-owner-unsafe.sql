-- A table or view whose owner can log in, is a superuser or bypasses row-level security.
-- medium, fixed by a superuser
-- Whoever owns a table can turn its row-level security off. An owner that cannot log in can do so in a migration only.
select
    'role ' || owners.rolname as object,
    null as part,
    null as role,
    format(
        'owns %s, and %s',
        string_agg(relations.name, ', ' order by relations.name),
        case
            when owners.rolsuper then 'is a superuser'
            when owners.rolbypassrls then 'bypasses row-level security'
            else 'can log in'
        end
    ) as message,
    string_agg(format('alter table %s owner to partywall_owner;', relations.name), ' ' order by relations.name) as fix
from relations
inner join pg_catalog.pg_roles as owners on relations.owner = owners.oid
where relations.is_audited
  and relations.kind in ('r', 'p', 'v', 'm')
  and (owners.rolsuper or owners.rolbypassrls or owners.rolcanlogin)
  and owners.oid not in (
      select memberships.role from memberships
      inner join logins on memberships.login = logins.oid
      where not logins.migrates
  )
group by owners.rolname, owners.rolsuper, owners.rolbypassrls
