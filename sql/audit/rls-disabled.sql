-- A table with tenant_id and without row-level security.
-- critical, fixed by the owner, not for shared tables
-- Without row-level security every statement reads and writes every tenant's rows, whatever its context.
select
    tenant_tables.name as object,
    null as part,
    null as role,
    'has a column tenant_id, and row-level security is off' as message,
    tenant_tables.protect as fix
from tenant_tables
where not tenant_tables.is_enabled
  and not tenant_tables.is_child
