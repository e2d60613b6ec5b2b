-- A tenant_id that may be null.
-- high, fixed by the owner, not for shared tables
-- A row whose tenant_id is null belongs to nobody, and a composite foreign key with a null in it checks nothing.
select
    tenant_tables.name as object,
    'column tenant_id' as part,
    null as role,
    'tenant_id may be null' as message,
    tenant_tables.protect as fix
from tenant_tables
where not tenant_tables.tenant_is_required
