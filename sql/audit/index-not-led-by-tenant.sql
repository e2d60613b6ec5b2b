-- A tenant table without an index that begins with tenant_id.
-- low, fixed by hand, not for shared tables
-- Every query filters by tenant. Without an index that begins with it, each reads the rows of all tenants, and EXPLAIN
-- ANALYZE counts them.
select
    tenant_tables.name as object,
    null as part,
    null as role,
    'has no index that begins with tenant_id' as message,
    format('create index on %s (tenant_id);', tenant_tables.name) as fix
from tenant_tables
where not exists (
    select 1 from pg_catalog.pg_index as indexes
    where indexes.indrelid = tenant_tables.oid
      and indexes.indisvalid
      and indexes.indpred is null
      and indexes.indkey[0] = tenant_tables.tenant_column
)
