-- The logins that are judged. The migrator may become the owner; that is what it is for.
select
    roles.oid,
    roles.rolname::text as name,
    roles.rolname = 'partywall_migrator' as migrates
from pg_catalog.pg_roles as roles
where roles.rolname = any(:logins)
