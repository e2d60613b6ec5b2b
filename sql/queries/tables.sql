-- Every table outside the system's own schemas, with what its rows may hold: one row each, columns, foreign keys and
-- checks as JSON. Rows of partitions and of inheritance children are read through their parents.
select
    tables.oid,
    format('%I.%I', namespaces.nspname, tables.relname) as name,
    namespaces.nspname in ('partywall', 'partywall_private') as is_platform,
    has_table_privilege(tables.oid, 'select') as may_read,
    has_table_privilege('partywall_worker', tables.oid, 'insert, update') as worker_writes,
    (
        select jsonb_agg(
            jsonb_build_object(
                'name', columns.attname,
                'type', format_type(columns.atttypid, columns.atttypmod),
                'base', bases.typname,
                'element', elements.typname,
                'longest', case
                    when columns.atttypmod > 4 and bases.typname in ('varchar', 'bpchar') then columns.atttypmod - 4
                end,
                'labels', (
                    select jsonb_agg(labels.enumlabel order by labels.enumsortorder)
                    from pg_catalog.pg_enum as labels
                    where labels.enumtypid = bases.oid
                ),
                'is_required', columns.attnotnull or types.typnotnull,
                'has_default', columns.atthasdef or types.typdefault is not null,
                'is_computed', columns.attgenerated <> '' or columns.attidentity <> ''
            )
            order by columns.attnum
        )
        from pg_catalog.pg_attribute as columns
        inner join pg_catalog.pg_type as types on columns.atttypid = types.oid
        inner join pg_catalog.pg_type as bases
            on coalesce(nullif(types.typbasetype, 0::oid), types.oid) = bases.oid
        left join pg_catalog.pg_type as elements
            on bases.typelem = elements.oid
            and bases.typcategory = 'A'
        where columns.attrelid = tables.oid
          and columns.attnum > 0
          and not columns.attisdropped
    ) as columns,
    (
        select coalesce(jsonb_agg(columns.attname order by columns.attnum), '[]')
        from pg_catalog.pg_index as indexes
        inner join pg_catalog.pg_attribute as columns
            on indexes.indrelid = columns.attrelid
            and columns.attnum = any(indexes.indkey)
        where indexes.indrelid = tables.oid
          and indexes.indisprimary
    ) as primary_key,
    (
        select coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'table', format('%I.%I', others.nspname, referenced.relname),
                    'columns', (
                        select jsonb_agg(own.attname order by pairs.place)
                        from unnest(keys.conkey) with ordinality as pairs (number, place)
                        inner join pg_catalog.pg_attribute as own
                            on keys.conrelid = own.attrelid
                            and pairs.number = own.attnum
                    ),
                    'referenced', (
                        select jsonb_agg(theirs.attname order by pairs.place)
                        from unnest(keys.confkey) with ordinality as pairs (number, place)
                        inner join pg_catalog.pg_attribute as theirs
                            on keys.confrelid = theirs.attrelid
                            and pairs.number = theirs.attnum
                    )
                )
                order by keys.conname
            ),
            '[]'
        )
        from pg_catalog.pg_constraint as keys
        inner join pg_catalog.pg_class as referenced on keys.confrelid = referenced.oid
        inner join pg_catalog.pg_namespace as others on referenced.relnamespace = others.oid
        where keys.conrelid = tables.oid
          and keys.contype = 'f'
    ) as foreign_keys,
    (
        select coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'name', checks.conname,
                    'columns', (
                        select jsonb_agg(own.attname order by own.attnum)
                        from pg_catalog.pg_attribute as own
                        where own.attrelid = checks.conrelid
                          and own.attnum = any(checks.conkey)
                    ),
                    'definition', pg_get_constraintdef(checks.oid)
                )
                order by checks.conname
            ),
            '[]'
        )
        from pg_catalog.pg_constraint as checks
        where checks.conrelid = tables.oid
          and checks.contype = 'c'
          and cardinality(checks.conkey) > 0
    ) as checks
from pg_catalog.pg_class as tables
inner join pg_catalog.pg_namespace as namespaces on tables.relnamespace = namespaces.oid
where tables.relkind in ('r', 'p')
  and not tables.relispartition
  and tables.relpersistence <> 't'
  and namespaces.nspname <> 'information_schema'
  and namespaces.nspname not like 'pg\_%'
  and not exists (
      select 1 from pg_catalog.pg_inherits as parents
      where parents.inhrelid = tables.oid
  )
order by name
