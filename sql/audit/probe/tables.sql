-- What the probe attacks: every tenant table of the audited schemas, and what each login may do to it.
select
    tenant_tables.oid,
    tenant_tables.name,
    tenant_tables.is_enabled
from tenant_tables
order by tenant_tables.name
