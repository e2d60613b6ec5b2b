-- What the probe attacks: every tenant table of the audited schemas, and whether the login may do anything to it.
select
    tenant_tables.oid,
    tenant_tables.name,
    exists(
        select 1 from logins
        where has_any_column_privilege(logins.oid, tenant_tables.oid, 'SELECT, INSERT, UPDATE')
           or has_table_privilege(logins.oid, tenant_tables.oid, 'DELETE, TRUNCATE')
    ) as is_reachable
from tenant_tables
order by tenant_tables.name
