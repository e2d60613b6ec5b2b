-- A tenant table with a column that is numbered across tenants.
-- low, fixed by hand, not for shared tables
-- One sequence counts the rows of all tenants: the numbers that a tenant gets tell it how much the others write.
select
    tenant_tables.name as object,
    'column ' || columns.attname as part,
    null as role,
    columns.attname || ' is numbered across tenants' as message,
    null as fix
from tenant_tables
inner join pg_catalog.pg_attribute as columns on tenant_tables.oid = columns.attrelid
left join pg_catalog.pg_attrdef as defaults
    on columns.attrelid = defaults.adrelid
    and columns.attnum = defaults.adnum
where not columns.attisdropped
  and columns.attnum > 0
  and (
      columns.attidentity <> ''
      or pg_get_expr(defaults.adbin, defaults.adrelid) like 'nextval(%'
  )
