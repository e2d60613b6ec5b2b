-- A partition or child of a tenant table without row-level security.
-- critical, fixed by the owner, not for shared tables
-- Whoever names a partition or an inheriting table directly is not stopped by its parent's policies.
-- Only its own count.
select
    tenant_tables.name as object,
    null as part,
    null as role,
    'is a partition or a child of a tenant table, and row-level security is off' as message,
    tenant_tables.protect as fix
from tenant_tables
where not tenant_tables.is_enabled
  and tenant_tables.is_child
