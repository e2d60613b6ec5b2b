-- How tables are called.
select
    classes.oid,
    classes.relkind = 'p' as is_partitioned,
    format('%I.%I', namespaces.nspname, classes.relname) as name
from pg_catalog.pg_class as classes
inner join pg_catalog.pg_namespace as namespaces on classes.relnamespace = namespaces.oid
where classes.oid = any(:relations)
  and classes.relkind in ('r', 'p')
