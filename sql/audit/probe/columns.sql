-- The columns of tables, with what decides which values they take.
select
    columns.attrelid as relation,
    columns.attname::text as name,
    quote_ident(columns.attname) as quoted,
    format_type(columns.atttypid, columns.atttypmod) as type,
    bases.typname::text as base_type,
    bases.typcategory::text as category,
    elements.typname::text as element_type,
    columns.attnotnull or domains.is_required as is_required,
    columns.atthasdef or columns.attidentity <> '' as has_default,
    columns.attgenerated <> '' or columns.attidentity = 'a' as is_generated,
    case when bases.typname in ('varchar', 'bpchar') and domains.typmod > 4 then domains.typmod - 4 end as max_length,
    array(
        select labels.enumlabel::text
        from pg_catalog.pg_enum as labels
        where labels.enumtypid = bases.oid
        order by labels.enumsortorder
    ) as labels,
    domains.checks
from pg_catalog.pg_attribute as columns
cross join lateral (
    with recursive chain as (
        select
            types.oid,
            types.typbasetype,
            types.typnotnull,
            columns.atttypmod as typmod
        from pg_catalog.pg_type as types
        where types.oid = columns.atttypid
        union all
        select
            types.oid,
            types.typbasetype,
            types.typnotnull,
            beneath.typtypmod as typmod
        from chain
        inner join pg_catalog.pg_type as types on chain.typbasetype = types.oid
        inner join pg_catalog.pg_type as beneath on chain.oid = beneath.oid
    )
    select
        (
            select bottom.oid from chain as bottom
            where bottom.typbasetype = 0
        ) as base,
        (
            select bottom.typmod from chain as bottom
            where bottom.typbasetype = 0
        ) as typmod,
        coalesce(bool_or(chain.typnotnull), false) as is_required,
        array(
            select pg_get_constraintdef(rules.oid)
            from chain as constrained
            inner join pg_catalog.pg_constraint as rules on constrained.oid = rules.contypid
            where rules.contype = 'c'
        ) as checks
    from chain
) as domains
inner join pg_catalog.pg_type as bases on domains.base = bases.oid
left join pg_catalog.pg_type as elements
    on bases.typelem = elements.oid
    and bases.typcategory = 'A'
where columns.attrelid = any(:relations)
  and columns.attnum > 0
  and not columns.attisdropped
order by columns.attrelid, columns.attnum
