-- A table with tenant_id and without row-level security that a service uses, in a schema that was not named.
-- critical, fixed by hand, not for shared tables
-- The wall ends where the audited schemas end: each tenant's statements reach every tenant's rows in this table.
select
    stray_tables.name as object,
    null as part,
    stray_tables.role,
    format('has a column tenant_id and no row-level security, and may be used by %s', stray_tables.reached) as message,
    format('select partywall.protect(%L);', stray_tables.name) as fix
from stray_tables
