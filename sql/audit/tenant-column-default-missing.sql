-- A tenant table that a service inserts into, whose tenant_id has no default.
-- low, fixed by the owner, not for shared tables
-- Without the default every insert has to name the tenant by hand. Forgetting it is an error, not a leak.
select
    tenant_tables.name as object,
    'column tenant_id' as part,
    null as role,
    'tenant_id has no default' as message,
    format(
        'alter table %s alter column tenant_id set default partywall.current_tenant_id();', tenant_tables.name
    ) as fix
from tenant_tables
where tenant_tables.tenant_type = 'uuid'::regtype
  and exists (
      select 1 from grants
      where grants.relation = tenant_tables.oid
        and grants.privilege = 'INSERT'
  )
  and not exists (
      select 1 from pg_catalog.pg_attrdef as defaults
      where defaults.adrelid = tenant_tables.oid
        and defaults.adnum = tenant_tables.tenant_column
  )
