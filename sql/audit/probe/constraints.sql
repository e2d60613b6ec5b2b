-- What else decides which rows a table takes: its checks, and the rows of other tables that it refers to.
select
    constraints.conrelid as relation,
    constraints.conname::text as name,
    constraints.contype::text as kind,
    constraints.confrelid as target,
    pg_get_constraintdef(constraints.oid) as definition,
    array(
        select columns.attname::text
        from unnest(constraints.conkey) with ordinality as keys (attnum, place)
        inner join pg_catalog.pg_attribute as columns
            on constraints.conrelid = columns.attrelid
            and keys.attnum = columns.attnum
        order by keys.place
    ) as columns,
    array(
        select columns.attname::text
        from unnest(constraints.confkey) with ordinality as keys (attnum, place)
        inner join pg_catalog.pg_attribute as columns
            on constraints.confrelid = columns.attrelid
            and keys.attnum = columns.attnum
        order by keys.place
    ) as target_columns
from pg_catalog.pg_constraint as constraints
where constraints.conrelid = any(:relations)
  and constraints.contype in ('c', 'f')
order by constraints.conrelid, constraints.conname
