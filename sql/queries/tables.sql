-- Every table outside the system's own schemas. Rows of partitions and of inheritance children are read through their
-- parents. `own_ids` are the columns that tell a row from any other anywhere: the UUIDs of its key, but for references.
select
    tables.oid,
    format('%I.%I', namespaces.nspname, tables.relname) as name,
    namespaces.nspname in ('partywall', 'partywall_private') as is_platform,
    has_table_privilege(tables.oid, 'select') as may_read,
    has_table_privilege('partywall_worker', tables.oid, 'insert, update') as worker_writes,
    exists(
        select 1
        from pg_catalog.pg_attribute as columns
        where columns.attrelid = tables.oid
          and columns.attname = 'tenant_id'
          and columns.atttypid = 'uuid'::regtype
          and not columns.attisdropped
    ) as has_tenant,
    array(
        select quote_ident(columns.attname)
        from pg_catalog.pg_index as indexes
        inner join pg_catalog.pg_attribute as columns
            on indexes.indrelid = columns.attrelid
            and columns.attnum = any(indexes.indkey)
        where indexes.indrelid = tables.oid
          and indexes.indisprimary
          and columns.atttypid = 'uuid'::regtype
          and columns.attname <> 'tenant_id'
          and not exists (
              select 1
              from pg_catalog.pg_constraint as keys
              where keys.conrelid = tables.oid
                and keys.contype = 'f'
                and columns.attnum = any(keys.conkey)
          )
    ) as own_ids
from pg_catalog.pg_class as tables
inner join pg_catalog.pg_namespace as namespaces on tables.relnamespace = namespaces.oid
where tables.relkind in ('r', 'p')
  and not tables.relispartition
  and tables.relpersistence <> 't'
  and namespaces.nspname <> 'information_schema'
  and namespaces.nspname not like 'pg\_%'
  and not exists (
      select 1
      from pg_catalog.pg_inherits as parents
      where parents.inhrelid = tables.oid
  )
order by name
