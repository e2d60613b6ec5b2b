-- An index on something that row-level security keeps PostgreSQL from looking up.
-- low, fixed by hand, not for shared tables
-- Under row-level security PostgreSQL looks into an index only with operators that cannot leak what they compare.
-- Others (enum, numeric, jsonb, lower()) make it read all of the tenant's rows.
select
    tenant_tables.name as object,
    'index ' || names.relname as part,
    null as role,
    format('%s cannot be used for %s', names.relname, string_agg(distinct leaky.by, ', ')) as message,
    null as fix
from tenant_tables
inner join pg_catalog.pg_index as indexes on tenant_tables.oid = indexes.indrelid
inner join pg_catalog.pg_class as names on indexes.indexrelid = names.oid
inner join (
    select
        keys.indexrelid,
        format('%s (%s)', columns.attname, format_type(columns.atttypid, columns.atttypmod)) as by
    from pg_catalog.pg_index as keys
    cross join lateral unnest(keys.indclass::oid[]) with ordinality as classes (oid, place)
    inner join pg_catalog.pg_opclass as opclasses on classes.oid = opclasses.oid
    inner join pg_catalog.pg_attribute as columns
        on keys.indexrelid = columns.attrelid
        and classes.place = columns.attnum
    inner join pg_catalog.pg_am as methods on opclasses.opcmethod = methods.oid
    inner join pg_catalog.pg_amop as operators
        on opclasses.opcfamily = operators.amopfamily
        and opclasses.opcintype = operators.amoplefttype
        and operators.amoppurpose = 's'
        and (methods.amname not in ('btree', 'hash') or opclasses.opcintype = operators.amoprighttype)
    inner join pg_catalog.pg_operator as spelled on operators.amopopr = spelled.oid
    inner join pg_catalog.pg_proc as comparisons on spelled.oprcode = comparisons.oid
    where (methods.amname not in ('btree', 'hash') or spelled.oprname = '=')
      and not comparisons.proleakproof
    union
    select
        expressions.indexrelid,
        called.proname || '()' as by
    from pg_catalog.pg_index as expressions
    cross join lateral regexp_matches(expressions.indexprs::text, '[:]funcid (\d+)', 'g') as calls (found)
    inner join pg_catalog.pg_proc as called on calls.found[1]::oid = called.oid
    where not called.proleakproof
) as leaky on indexes.indexrelid = leaky.indexrelid
where not exists (
    select 1 from pg_catalog.pg_inherits as parents
    where parents.inhrelid = indexes.indexrelid
)
group by tenant_tables.name, names.relname
