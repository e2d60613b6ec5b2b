-- A tenant_id of another type than uuid.
-- high, fixed by hand, not for shared tables
-- The wall compares uuids. Another type is refused by partywall.protect(), and the empty string would be a tenant too.
select
    tenant_tables.name as object,
    'column tenant_id' as part,
    null as role,
    'tenant_id is of type ' || format_type(tenant_tables.tenant_type, null) as message,
    format(
        'alter table %s alter column tenant_id type uuid using tenant_id::text::uuid; select partywall.protect(%L);',
        tenant_tables.name, tenant_tables.name
    ) as fix
from tenant_tables
where tenant_tables.tenant_type <> 'uuid'::regtype
