-- PUBLIC may connect to the database.
-- low, fixed by a superuser
-- Every login of this server may connect, also those of other applications.
select
    'database ' || databases.datname as object,
    null as part,
    null as role,
    'CONNECT is granted to PUBLIC' as message,
    format('revoke connect on database %I from public;', databases.datname) as fix
from pg_catalog.pg_database as databases
cross join lateral aclexplode(coalesce(databases.datacl, acldefault('d', databases.datdba))) as rights
where databases.datname = current_database()
  and rights.privilege_type = 'CONNECT'
  and rights.grantee = 0
