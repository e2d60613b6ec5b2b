-- What the probe attacks: every tenant table of the audited schemas.
select
    tenant_tables.oid,
    tenant_tables.name
from tenant_tables
order by tenant_tables.name
