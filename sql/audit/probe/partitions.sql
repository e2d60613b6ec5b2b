-- Which table is a partition of which, and what it takes.
select
    children.inhrelid as partition,
    children.inhparent as parent,
    array(
        select columns.attname::text
        from unnest(parents.partattrs) with ordinality as keys (attnum, place)
        left join pg_catalog.pg_attribute as columns
            on parents.partrelid = columns.attrelid
            and keys.attnum = columns.attnum
        order by keys.place
    ) as keys,
    pg_get_expr(partitions.relpartbound, partitions.oid) as bound
from pg_catalog.pg_inherits as children
inner join pg_catalog.pg_class as partitions on children.inhrelid = partitions.oid
inner join pg_catalog.pg_partitioned_table as parents on children.inhparent = parents.partrelid
order by partitions.relname
