-- A tenant table whose row-level security does not hold for its owner.
-- high, fixed by the owner, not for shared tables
-- Row-level security that is not forced does not hold for the owner: its views and its SECURITY DEFINER functions read
-- every tenant's rows.
select
    tenant_tables.name as object,
    null as part,
    null as role,
    'row-level security is not forced on its owner, ' || tenant_tables.owner::regrole::text as message,
    tenant_tables.protect as fix
from tenant_tables
where tenant_tables.is_enabled
  and not tenant_tables.is_forced
