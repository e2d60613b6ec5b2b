-- Tables by oid: how they are called, what their partitions take.
select
    classes.oid,
    classes.relkind = 'p' as is_partitioned,
    format('%I.%I', namespaces.nspname, classes.relname) as name,
    array(
        with recursive bounds as (
            select
                classes.oid as partition,
                0 as distance
            union
            select
                parents.inhparent,
                bounds.distance + 1
            from bounds
            inner join pg_catalog.pg_inherits as parents on bounds.partition = parents.inhrelid
        )
        select concat_ws(
            '|', pg_get_partkeydef(parents.inhparent), pg_get_expr(partitions.relpartbound, partitions.oid)
        )
        from bounds
        inner join pg_catalog.pg_class as partitions on bounds.partition = partitions.oid
        inner join pg_catalog.pg_inherits as parents on partitions.oid = parents.inhrelid
        where partitions.relispartition
        order by bounds.distance
    ) as bounds,
    array(
        select pg_get_expr(partitions.relpartbound, partitions.oid)
        from pg_catalog.pg_inherits as children
        inner join pg_catalog.pg_class as partitions on children.inhrelid = partitions.oid
        where children.inhparent = classes.oid
          and classes.relkind = 'p'
        order by partitions.relname
    ) as children
from pg_catalog.pg_class as classes
inner join pg_catalog.pg_namespace as namespaces on classes.relnamespace = namespaces.oid
where classes.oid = any(:relations)
