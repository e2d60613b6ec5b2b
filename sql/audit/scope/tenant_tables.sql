-- The tables whose rows have an owner.
select
    tables.oid,
    tables.name,
    tables.owner,
    tables.is_enabled,
    tables.is_forced,
    tables.is_child,
    tables.tenant_column,
    tables.tenant_type,
    tables.tenant_is_required,
    tables.protect
from tables
where tables.tenant_column is not null
