-- A tenant table with row-level security and no permissive policy.
-- medium, fixed by the owner, not for shared tables
-- Row-level security without a permissive policy shows nobody anything: tasks succeed over zero rows.
select
    tenant_tables.name as object,
    null as part,
    null as role,
    'row-level security is on, and no policy lets anybody see a row' as message,
    tenant_tables.protect as fix
from tenant_tables
where tenant_tables.is_enabled
  and not exists (
      select 1 from policies
      where policies.relation = tenant_tables.oid
        and policies.is_permissive
  )
